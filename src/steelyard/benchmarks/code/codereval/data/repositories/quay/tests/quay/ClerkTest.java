package quay;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ClerkTest {
    @Test
    void line() {
        Cargo cargo = new Cargo(40);
        assertEquals("empty.......0", new Clerk(cargo).line());
        cargo.add("pineapples, red", 12);
        assertEquals("pineapples, 12", new Clerk(cargo).line());
    }
}
