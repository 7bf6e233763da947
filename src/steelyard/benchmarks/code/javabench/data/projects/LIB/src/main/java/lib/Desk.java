package lib;

import lib.Book;
import lib.Loan;
import lib.Shelf;

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
        // TODO
        return 0;
    }

    /**
     * Lends a copy for 14 days.
     *
     * @return the loan, or nothing if no copy is available
     */
    public Optional<Loan> lend(String title, int today) {
        // TODO
        return Optional.empty();
    }

    /**
     * Takes a copy back.
     *
     * @return what is to be paid
     * @throws IllegalStateException if the loan is not known
     */
    public int giveBack(Loan loan, int today) {
        // TODO
        return 0;
    }
}
