package lib;

import java.util.*;

/**
 * Where copies are lent and given back.
 */
public class Desk {

    private final Shelf shelf;
    private final List<Loan> loans = new ArrayList<>();

    public Desk(Shelf shelf) {
        this.shelf = shelf;
    }

    /**
     * @return how many copies of a title are on the shelf and not lent
     */
    public int available(String title) {
        int lent = (int) loans.stream().filter(loan -> loan.getBook().getTitle().equals(title)).count();
        return shelf.find(title).map(Book::getCopies).orElse(0) - lent;
    }

    /**
     * Lends a copy for 14 days.
     *
     * @return the loan, or nothing if no copy is available
     */
    public Optional<Loan> lend(String title, int today) {
        if (available(title) == 0) {
            return Optional.empty();
        }
        Loan loan = new Loan(shelf.find(title).get(), today, 14);
        loans.add(loan);
        return Optional.of(loan);
    }

    /**
     * Takes a copy back.
     *
     * @return what is to be paid
     * @throws IllegalStateException if the loan is not known
     */
    public int giveBack(Loan loan, int today) {
        if (!loans.remove(loan)) {
            throw new IllegalStateException("not lent here");
        }
        return loan.fee(today);
    }
}
