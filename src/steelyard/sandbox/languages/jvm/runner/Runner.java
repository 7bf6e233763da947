package steelyard.runner;

import java.io.EOFException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.stream.Stream;

/** Waits warm for requests of the host and does one at a time; leaves at once when the host hangs up. */
public final class Runner {
    private Runner() {}

    /** arguments: none for a compiler; else the folder of the class that talks to JUnit, then the jars of JUnit. */
    public static void main(String[] arguments) throws Exception {
        Line line = new Line();
        BlockingQueue<List<byte[]>> requests = new ArrayBlockingQueue<>(1);
        Thread reader = new Thread(() -> {
            try {
                while (true) {
                    requests.put(line.take());
                }
            } catch (EOFException gone) {
                Runtime.getRuntime().halt(0);
            } catch (Throwable broken) {
                Runtime.getRuntime().halt(1);
            }
        }, "line");
        reader.setDaemon(true);
        reader.start();
        List<Path> paths = Stream.of(arguments).map(Path::of).toList();
        Compiler compiler = paths.isEmpty() ? new Compiler() : null;
        Program program = paths.isEmpty() ? null : new Program(line, paths.get(0), paths.subList(1, paths.size()));
        line.send("ready", System.getProperty("java.version"));
        while (true) {
            List<byte[]> request = requests.take();
            if (program != null) {
                program.test(request);
            } else {
                compiler.compile(line, request);
            }
        }
    }
}
