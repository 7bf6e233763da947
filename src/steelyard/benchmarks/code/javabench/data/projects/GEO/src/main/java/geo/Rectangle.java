package geo;

import geo.Shape;

/**
 * A rectangle of positive width and height.
 */
public class Rectangle implements Shape {

    private double width;
    private double height;

    /**
     * @throws IllegalArgumentException if a side is not positive
     */
    public Rectangle(double width, double height) {
        // TODO
    }

    @Override
    public double area() {
        // TODO
        return 0;
    }

    /**
     * @return a rectangle whose sides are {@code factor} times as long
     */
    @Override
    public Shape scaled(double factor) {
        // TODO
        return null;
    }

    public boolean isSquare() {
        return width == height;
    }
}
