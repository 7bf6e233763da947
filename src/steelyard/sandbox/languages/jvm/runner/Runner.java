package steelyard.runner;

import java.io.EOFException;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** Waits warm for requests of the host and does one at a time; leaves at once when the host hangs up. */
public final class Runner {
    private Runner() {}

    /** arguments: the folder of the class that talks to JUnit. */
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
        Compiler compiler = null;
        Program program = null;
        line.send("ready", System.getProperty("java.version"));
        while (true) {
            List<byte[]> request = requests.take();
            switch (Line.text(request.get(0))) {
                case "compile" -> {
                    compiler = compiler == null ? new Compiler() : compiler;
                    compiler.compile(line, request);
                }
                case "test" -> {
                    program = program == null ? new Program(line, arguments[0]) : program;
                    program.test(request);
                }
                default -> throw new IllegalArgumentException(Line.text(request.get(0)));
            }
        }
    }
}
