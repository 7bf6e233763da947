package lib;

import java.util.*;

/**
 * Books by title. The café keeps one, too.
 */
public class Shelf {

    private final Map<String, Book> books = new TreeMap<>();

    /**
     * Puts a book on the shelf.
     *
     * @throws IllegalArgumentException if a book of that title is there already
     */
    public void add(Book book) {
        if (books.putIfAbsent(book.getTitle(), book) != null) {
            throw new IllegalArgumentException(book.getTitle());
        }
    }

    /**
     * @return the book of that title, or nothing if there is none
     */
    public Optional<Book> find(String title) {
        return Optional.ofNullable(books.get(title));
    }

    /**
     * @return the titles in alphabetical order
     */
    public List<String> titles() {
        return new ArrayList<>(books.keySet());
    }

    /**
     * @return how many copies there are of all books together
     */
    public int copies() {
        return books.values().stream().mapToInt(Book::getCopies).sum();
    }
}
