package steelyard.runner;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashSet;
import java.util.Locale;
import java.util.Properties;
import java.util.Set;
import java.util.TimeZone;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.logging.LogManager;

/** What a program may change in a JVM that others use after it: seen before, put back behind it. */
final class State {
    private static final long PATIENCE_MS = 60; // for threads that are on their way out

    private final Properties properties = (Properties) System.getProperties().clone();
    private final Locale locale = Locale.getDefault();
    private final TimeZone zone = TimeZone.getDefault();
    private final PrintStream out = System.out;
    private final PrintStream err = System.err;
    private final Set<Thread> threads = new HashSet<>(Thread.getAllStackTraces().keySet());

    /** Puts back what can be put back; false where something stays behind, so that the JVM has to go. */
    boolean restore() {
        System.setOut(out);
        System.setErr(err);
        System.setIn(InputStream.nullInputStream());
        System.setProperties((Properties) properties.clone());
        Locale.setDefault(locale);
        TimeZone.setDefault(zone);
        Thread.setDefaultUncaughtExceptionHandler(null);
        LogManager.getLogManager().reset();
        return alone() && emptied();
    }

    private boolean alone() {
        long end = System.nanoTime() + PATIENCE_MS * 1_000_000;
        boolean asked = false;
        while (true) {
            boolean left = !ForkJoinPool.commonPool().isQuiescent();
            for (Thread thread : Thread.getAllStackTraces().keySet()) {
                boolean ours = threads.contains(thread)
                        || thread instanceof ForkJoinWorkerThread worker && worker.getPool() == ForkJoinPool.commonPool();
                if (!ours && !asked) {
                    thread.interrupt();
                }
                left |= !ours;
            }
            if (!left || System.nanoTime() > end) {
                return !left;
            }
            asked = true;
            Thread.onSpinWait();
            try {
                Thread.sleep(2);
            } catch (InterruptedException again) {
                return false;
            }
        }
    }

    /** An empty working folder; false where it cannot be emptied. */
    static boolean emptied() {
        Path folder = Path.of("").toAbsolutePath();
        try {
            Files.walkFileTree(folder, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path directory, IOException error) throws IOException {
                    if (!directory.equals(folder)) {
                        Files.delete(directory);
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
            return true;
        } catch (IOException stuck) {
            return false;
        }
    }
}
