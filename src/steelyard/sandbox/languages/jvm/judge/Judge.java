package steelyard.judge;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.junit.jupiter.engine.JupiterTestEngine;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.vintage.engine.VintageTestEngine;

/** Runs test classes by JUnit 4 and 5 and tells of each test as it starts and as it ends. */
public final class Judge implements BiConsumer<Object[], Consumer<Object[]>> {
    /** arguments: the program's loader, names of its test classes (List), identifiers of tests not to run (Set). */
    @Override
    @SuppressWarnings("unchecked")
    public void accept(Object[] arguments, Consumer<Object[]> tell) {
        ClassLoader program = (ClassLoader) arguments[0];
        Set<String> done = (Set<String>) arguments[2];
        List<DiscoverySelector> selected = new ArrayList<>();
        for (String name : (List<String>) arguments[1]) {
            try {
                selected.add(selectClass(program.loadClass(name)));
            } catch (ClassNotFoundException | LinkageError error) {
                tell.accept(new Object[] {"fault", error.toString()});
                return;
            }
        }
        Launcher launcher = LauncherFactory.create(LauncherConfig.builder()
                .enableTestEngineAutoRegistration(false)
                .enableLauncherDiscoveryListenerAutoRegistration(false)
                .enableLauncherSessionListenerAutoRegistration(false)
                .enablePostDiscoveryFilterAutoRegistration(false)
                .enableTestExecutionListenerAutoRegistration(false)
                .addTestEngines(new JupiterTestEngine(), new VintageTestEngine())
                .build());
        PostDiscoveryFilter fresh = test -> FilterResult.includedIf(!done.contains(test.getUniqueId().toString()));
        LauncherDiscoveryRequest request =
                LauncherDiscoveryRequestBuilder.request().selectors(selected).filters(fresh).build();
        launcher.execute(request, new Listener(tell));
    }

    private static final class Listener implements TestExecutionListener {
        private final Consumer<Object[]> tell;
        private final Map<String, Long> started = new HashMap<>();

        Listener(Consumer<Object[]> tell) {
            this.tell = tell;
        }

        @Override
        public void testPlanExecutionStarted(TestPlan plan) {
            tell.accept(new Object[] {"found", plan.countTestIdentifiers(TestIdentifier::isTest)});
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            started.put(test.getUniqueId(), System.nanoTime());
            if (test.isTest()) {
                tell.accept(new Object[] {"start", test.getUniqueId(), name(test)});
            }
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            tell.accept(new Object[] {"done", test.getUniqueId(), name(test), "skipped", "0", reason});
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            Throwable thrown = result.getThrowable().orElse(null);
            boolean passed = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
            if (!test.isTest() && passed) {
                return;
            }
            double seconds = (System.nanoTime() - started.getOrDefault(test.getUniqueId(), System.nanoTime())) / 1e9;
            // an abort (a failed assumption) may come from the program under test: it is told as an exception
            String kind = passed ? "passed"
                    : thrown instanceof AssertionError ? "assertion"
                    : thrown instanceof OutOfMemoryError ? "memory" : "exception";
            tell.accept(new Object[] {"done", test.getUniqueId(), name(test), kind, seconds, thrown == null ? "" : told(thrown)});
        }

        private static String name(TestIdentifier test) {
            TestSource source = test.getSource().orElse(null);
            String id = test.getUniqueId();
            int number = id.lastIndexOf('#');
            String which = number >= 0 && id.endsWith("]") && id.indexOf('/', number) < 0
                    ? "[" + id.substring(number + 1, id.length() - 1) + "]" : "";
            if (source instanceof MethodSource method) {
                return method.getClassName() + "::" + method.getMethodName() + which;
            }
            if (source instanceof ClassSource one) {
                return one.getClassName() + (test.isTest() ? "::" + test.getDisplayName() : "") + which;
            }
            return test.getDisplayName() + which;
        }

        /** Its class, its message and the first line of the program that it passed through. */
        private static String told(Throwable thrown) {
            String text;
            try {
                text = String.valueOf(thrown.getMessage());
            } catch (Throwable itsOwn) { // its own getMessage may do anything
                text = "";
            }
            StringBuilder where = new StringBuilder(thrown.getClass().getName());
            where.append(": ").append(text.length() > 2000 ? text.substring(0, 2000) : text);
            for (StackTraceElement frame : thrown.getStackTrace()) {
                if ("program".equals(frame.getClassLoaderName())) {
                    return where.append("\n  at ").append(frame.getClassName()).append('.').append(frame.getMethodName())
                            .append(':').append(frame.getLineNumber()).toString();
                }
            }
            return where.toString();
        }
    }
}
