package lib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ShelfTest {

    private Shelf shelf;

    @BeforeEach
    void fill() {
        shelf = new Shelf();
        shelf.add(new Book("Emma", 2));
        shelf.add(new Book("Dubliners", 1));
    }

    @Test
    void titlesAreSorted() {
        assertEquals(List.of("Dubliners", "Emma"), shelf.titles());
    }

    @Test
    void aTitleStandsOnce() {
        assertThrows(IllegalArgumentException.class, () -> shelf.add(new Book("Emma", 1)));
        assertEquals(3, shelf.copies());
    }

    @Test
    void findsWhatIsThere() {
        assertEquals(2, shelf.find("Emma").get().getCopies());
        assertTrue(shelf.find("Ulysses").isEmpty());
    }
}
