package geo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;

class CanvasTest {

    @Test
    void addsAreas() {
        Canvas canvas = new Canvas();
        canvas.draw(new Rectangle(1, 1));
        canvas.draw(new Rectangle(2, 2));
        assertEquals(5.0, canvas.area(), 1e-9);
    }

    @Test
    void findsTheLargest() {
        Canvas canvas = new Canvas();
        assertNull(canvas.largest());
        Shape first = new Rectangle(1, 4);
        canvas.draw(first);
        canvas.draw(new Rectangle(2, 2));
        assertSame(first, canvas.largest());
    }
}
