package steelyard.runner;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Runs the tests of one program after the other: each in a loader of its own, the state of the JVM put back behind it. */
final class Program {
    private final Line line;
    private final BiConsumer<Object[], Consumer<Object[]>> judge;

    /** judge: the folder of the class that talks to JUnit; junit: the jars of JUnit. */
    Program(Line line, Path judge, List<Path> junit) throws IOException, ReflectiveOperationException {
        this.line = line;
        this.judge = Libraries.open(junit, judge);
        System.setIn(InputStream.nullInputStream());
    }

    /** request: "test", nonce, bytes of output to keep, class path, test classes, covered classes, tests to skip, n, 2n resources, classes. */
    void test(List<byte[]> request) throws Exception {
        String nonce = Line.text(request.get(1));
        int room = Integer.parseInt(Line.text(request.get(2)));
        Map<String, byte[]> resources = new HashMap<>();
        Map<String, byte[]> classes = new HashMap<>();
        int at = 8 + 2 * Integer.parseInt(Line.text(request.get(7)));
        for (int i = 8; i < at; i += 2) {
            resources.put(Line.text(request.get(i)), request.get(i + 1));
        }
        for (int i = at; i < request.size(); i += 2) {
            classes.put(Line.text(request.get(i)), request.get(i + 1));
        }
        State state = new State();
        Kept out = new Kept(room);
        Kept err = new Kept(room);
        Probes probes = new Probes();
        Set<String> covered = new HashSet<>(Line.lines(request.get(5)));
        String[] fault = {""};
        Thread thread = new Thread(() -> {
            try (URLClassLoader libraries = libraries(Line.lines(request.get(3)), judge.getClass().getClassLoader())) {
                place(resources);
                Loader loader = new Loader(libraries, classes, resources, covered, probes);
                Thread.currentThread().setContextClassLoader(loader);
                System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
                System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
                judge.accept(
                        new Object[] {loader, Line.lines(request.get(4)), new HashSet<>(Line.lines(request.get(6)))},
                        parts -> {
                            List<Object> message = new ArrayList<>(List.of(nonce));
                            message.addAll(List.of(parts));
                            try {
                                line.send(message.toArray());
                            } catch (IOException gone) {
                                Runtime.getRuntime().halt(1);
                            }
                        });
            } catch (Throwable error) {
                fault[0] = said(error);
            }
        }, "program");
        thread.start();
        thread.join();
        boolean clean = state.restore();
        for (String name : covered) {
            probes.unloaded(name, classes.get(name));
        }
        line.send(nonce, "end", fault[0], clean, probes.report(), out.bytes(), err.bytes());
    }

    private static String said(Throwable error) {
        try {
            return error.toString();
        } catch (Throwable itsOwn) { // its own toString may do anything
            return error.getClass().getName();
        }
    }

    /** The libraries beside JUnit, loaded anew for each program: what they keep does not outlive it. */
    private static URLClassLoader libraries(List<String> jars, ClassLoader junit) throws IOException {
        URL[] urls = new URL[jars.size()];
        for (int i = 0; i < urls.length; i++) {
            urls[i] = Path.of(jars.get(i)).toUri().toURL();
        }
        return new URLClassLoader("libraries", urls, junit);
    }

    private static void place(Map<String, byte[]> resources) throws IOException {
        State.emptied();
        Path folder = Path.of("").toAbsolutePath();
        for (Map.Entry<String, byte[]> one : resources.entrySet()) {
            Path file = folder.resolve(one.getKey()).normalize();
            if (file.startsWith(folder)) {
                Files.createDirectories(file.getParent());
                Files.write(file, one.getValue());
            }
        }
    }

    /** The beginning of what a program prints; the rest is dropped. */
    private static final class Kept extends OutputStream {
        private final int room;
        private final ByteArrayOutputStream kept = new ByteArrayOutputStream();

        Kept(int room) {
            this.room = room;
        }

        @Override
        public synchronized void write(int one) {
            if (kept.size() < room) {
                kept.write(one);
            }
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int length) {
            kept.write(bytes, from, Math.max(0, Math.min(length, room - kept.size())));
        }

        synchronized byte[] bytes() {
            return kept.toByteArray();
        }
    }
}
