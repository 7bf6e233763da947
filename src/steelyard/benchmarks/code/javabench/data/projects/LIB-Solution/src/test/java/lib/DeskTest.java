package lib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DeskTest {

    private Desk desk;

    @BeforeEach
    void open() {
        Shelf shelf = new Shelf();
        shelf.add(new Book("Emma", 1));
        desk = new Desk(shelf);
    }

    @Test
    void lendsWhatItHas() {
        assertEquals(1, desk.available("Emma"));
        assertTrue(desk.lend("Emma", 1).isPresent());
        assertEquals(0, desk.available("Emma"));
        assertTrue(desk.lend("Emma", 2).isEmpty());
        assertTrue(desk.lend("Ulysses", 2).isEmpty());
    }

    @Test
    void takesBackAndCharges() {
        Loan loan = desk.lend("Emma", 1).get();
        assertEquals(40, desk.giveBack(loan, 17));
        assertEquals(1, desk.available("Emma"));
    }

    @Test
    void refusesForeignLoans() {
        assertThrows(IllegalStateException.class, () -> desk.giveBack(new Loan(new Book("Emma", 1), 1, 14), 2));
    }
}
