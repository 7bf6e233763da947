package quay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class CargoTest {
    @Test
    void capped() {
        assertEquals(7, Cargo.capped(3, 7, 10));
        assertEquals(5, Cargo.capped(9, 7, 5));
        assertEquals(-1, Cargo.capped(-1, -4, 0));
    }

    @Test
    void reversedWords() {
        assertEquals("sea the to", Cargo.reversedWords("  to the   sea "));
        assertEquals("one", Cargo.reversedWords("one"));
    }

    @Test
    void addingStopsAtTheLimit() {
        Cargo cargo = new Cargo(5);
        assertTrue(cargo.add("tea", 3));
        assertFalse(cargo.add("salt", 3));
        assertTrue(cargo.add("salt", 2));
        assertEquals(5, cargo.total());
    }

    @Test
    void commonest() {
        Cargo cargo = new Cargo(99);
        assertNull(cargo.commonest());
        cargo.add("tea", 2);
        cargo.add("salt", 2);
        assertEquals("salt", cargo.commonest());
        cargo.add("tea", 1);
        assertEquals("tea", cargo.commonest());
    }
}
