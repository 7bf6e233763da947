package lib;

/**
 * A copy that was lent for a number of days.
 */
public class Loan {

    public static final int CENTS_A_DAY = 20;

    private final Book book;
    private final int firstDay;
    private final int days;

    public Loan(Book book, int firstDay, int days) {
        this.book = book;
        this.firstDay = firstDay;
        this.days = days;
    }

    public Book getBook() {
        return book;
    }

    /**
     * @return by how many days the copy is late on {@code today}; 0 if it is not
     */
    public int daysLate(int today) {
        return Math.max(0, today - firstDay - days);
    }

    /**
     * @return what is to be paid on {@code today}: 20 cents for each day that the copy is late, 500 cents at most
     */
    public int fee(int today) {
        return Math.min(500, CENTS_A_DAY * daysLate(today));
    }
}
