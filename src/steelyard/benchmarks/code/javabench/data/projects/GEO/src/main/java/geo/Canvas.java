package geo;

import geo.Shape;

import java.util.*;

/**
 * Shapes drawn one after the other.
 */
public class Canvas {

    private final List<Shape> shapes = new ArrayList<>();

    public void draw(Shape shape) {
        shapes.add(shape);
    }

    /**
     * @return the area of all shapes together
     */
    public double area() {
        // TODO
        return 0;
    }

    /**
     * @return the shape of the largest area, the earliest of several, or null on an empty canvas
     */
    public Shape largest() {
        // TODO
        return null;
    }
}
