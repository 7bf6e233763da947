package lib;

/**
 * A book of which a library has some copies.
 */
public class Book {

    private final String title;
    private final int copies;

    public Book(String title, int copies) {
        this.title = title;
        this.copies = copies;
    }

    public String getTitle() {
        return title;
    }

    public int getCopies() {
        return copies;
    }
}
