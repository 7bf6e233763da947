package geo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class RectangleTest {

    @Test
    void areaIsWidthTimesHeight() {
        assertEquals(6.0, new Rectangle(2, 3).area(), 1e-9);
        assertFalse(new Rectangle(2, 3).isSquare());
    }

    @Test
    void scalingGoesWithTheSquare() {
        assertEquals(24.0, new Rectangle(2, 3).scaled(2).area(), 1e-9);
    }

    @Test
    void sidesArePositive() {
        assertThrows(IllegalArgumentException.class, () -> new Rectangle(0, 1));
    }
}
