package geo;

/**
 * A shape in the plane.
 */
public interface Shape {

    double area();

    Shape scaled(double factor);
}
