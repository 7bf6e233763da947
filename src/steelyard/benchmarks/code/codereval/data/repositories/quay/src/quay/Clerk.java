package quay;

/** Writes down what lies on the quay. */
public class Clerk {
    private final Cargo cargo;

    public Clerk(Cargo cargo) {
        this.cargo = cargo;
    }

    /** One line: the commonest kind as a label, then the number of all crates. Without crates the kind is "empty". */
    public String line() {
        String kind = cargo.commonest();
        return Label.fit(kind == null ? "empty" : kind) + cargo.total();
    }
}
