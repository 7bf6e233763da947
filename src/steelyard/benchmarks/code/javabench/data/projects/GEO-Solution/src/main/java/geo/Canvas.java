package geo;

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
        return shapes.stream().mapToDouble(Shape::area).sum();
    }

    /**
     * @return the shape of the largest area, the earliest of several, or null on an empty canvas
     */
    public Shape largest() {
        Shape best = null;
        for (Shape shape : shapes) {
            if (best == null || shape.area() > best.area()) {
                best = shape;
            }
        }
        return best;
    }
}
