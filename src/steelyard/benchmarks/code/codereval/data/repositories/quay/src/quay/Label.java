package quay;

/** Labels for crates. */
public final class Label {
    public static final int WIDTH = 12;

    private Label() {
    }

    /** The text cut or filled with dots to the width of a label. */
    public static String fit(String text) {
        StringBuilder filled = new StringBuilder(text.length() > WIDTH ? text.substring(0, WIDTH) : text);
        while (filled.length() < WIDTH) {
            filled.append('.');
        }
        return filled.toString();
    }
}
