package geo;

/**
 * A rectangle of positive width and height.
 */
public class Rectangle implements Shape {

    private final double width;
    private final double height;

    /**
     * @throws IllegalArgumentException if a side is not positive
     */
    public Rectangle(double width, double height) {
        if (width <= 0 || height <= 0) {
            throw new IllegalArgumentException("sides are positive");
        }
        this.width = width;
        this.height = height;
    }

    @Override
    public double area() {
        return width * height;
    }

    /**
     * @return a rectangle whose sides are {@code factor} times as long
     */
    @Override
    public Shape scaled(double factor) {
        return new Rectangle(width * factor, height * factor);
    }

    public boolean isSquare() {
        return width == height;
    }
}
