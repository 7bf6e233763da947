package steelyard.runner;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

/** The system's javac, kept warm: sources in memory to class files in memory. It never runs what it compiles. */
final class Compiler {
    private final JavaCompiler javac = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files = javac.getStandardFileManager(null, Locale.ROOT, StandardCharsets.UTF_8);

    /** request: "compile", nonce, options, class path, number n of classes to compile against, 2n name and bytes, then path and text. */
    void compile(Line line, List<byte[]> request) throws Exception {
        Object[][] reply = new Object[1][];
        Thread thread = new Thread(null, () -> reply[0] = compiled(request), "compile", 256L << 20);
        thread.start(); // deep nesting of a source needs stack
        thread.join();
        line.send(reply[0]);
    }

    private Object[] compiled(List<byte[]> request) {
        DiagnosticCollector<JavaFileObject> heard = new DiagnosticCollector<>();
        Map<String, Output> outputs = new LinkedHashMap<>();
        List<Object> told = new ArrayList<>();
        boolean ok = false;
        try {
            List<File> path = new ArrayList<>();
            Line.lines(request.get(3)).forEach(jar -> path.add(new File(jar)));
            files.setLocation(StandardLocation.CLASS_PATH, path);
            int against = 2 * Integer.parseInt(Line.text(request.get(4)));
            Map<String, Known> known = new LinkedHashMap<>();
            for (int i = 5; i < 5 + against; i += 2) {
                String name = Line.text(request.get(i));
                known.put(name, new Known(name, request.get(i + 1)));
            }
            List<Source> sources = new ArrayList<>();
            for (int i = 5 + against; i < request.size(); i += 2) {
                sources.add(new Source(Line.text(request.get(i)), Line.text(request.get(i + 1))));
            }
            JavaFileManager manager = new Memory(files, known, outputs);
            ok = javac.getTask(new StringWriter(), manager, heard, Line.lines(request.get(2)), null, sources).call();
        } catch (Throwable fault) { // javac itself gave up: too deep, too large, or a bug of it
            told.addAll(List.of("", "0", "0", "ERROR", "compiler.fault", fault.toString()));
        }
        for (Diagnostic<? extends JavaFileObject> one : heard.getDiagnostics()) {
            String path = one.getSource() instanceof Source source ? source.path : "";
            told.addAll(List.of(path, one.getLineNumber(), one.getColumnNumber(), one.getKind(),
                    one.getCode() == null ? "" : one.getCode(), one.getMessage(Locale.ROOT)));
        }
        List<Object> parts = new ArrayList<>(List.of(Line.text(request.get(1)), "end", ok, told.size() / 6));
        parts.addAll(told);
        if (ok) {
            outputs.forEach((name, output) -> {
                parts.add(name);
                parts.add(output.bytes.toByteArray());
            });
        }
        return parts.toArray();
    }

    private static final class Source extends SimpleJavaFileObject {
        private final String path;
        private final String text;

        Source(String path, String text) {
            super(URI.create("memory:///" + path.replaceAll("[^\\w./$-]", "_")), Kind.SOURCE);
            this.path = path;
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean lenient) {
            return text;
        }
    }

    private static final class Known extends SimpleJavaFileObject {
        private final String name;
        private final byte[] bytes;

        Known(String name, byte[] bytes) {
            super(URI.create("memory:///" + name.replace('.', '/') + ".class"), Kind.CLASS);
            this.name = name;
            this.bytes = bytes;
        }

        @Override
        public InputStream openInputStream() {
            return new ByteArrayInputStream(bytes);
        }
    }

    private static final class Output extends SimpleJavaFileObject {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        Output(String name) {
            super(URI.create("memory:///" + name.replace('.', '/') + ".class"), Kind.CLASS);
        }

        @Override
        public OutputStream openOutputStream() {
            return bytes;
        }
    }

    private static final class Memory extends ForwardingJavaFileManager<StandardJavaFileManager> {
        private final Map<String, Known> known;
        private final Map<String, Output> outputs;

        Memory(StandardJavaFileManager files, Map<String, Known> known, Map<String, Output> outputs) {
            super(files);
            this.known = known;
            this.outputs = outputs;
        }

        @Override
        public JavaFileObject getJavaFileForOutput(Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
            return outputs.computeIfAbsent(name, Output::new);
        }

        @Override
        public Iterable<JavaFileObject> list(Location location, String pack, Set<JavaFileObject.Kind> kinds, boolean deep)
                throws IOException {
            Iterable<JavaFileObject> found = super.list(location, pack, kinds, deep);
            if (location != StandardLocation.CLASS_PATH || !kinds.contains(JavaFileObject.Kind.CLASS) || known.isEmpty()) {
                return found;
            }
            List<JavaFileObject> all = new ArrayList<>();
            for (Known one : known.values()) {
                String home = one.name.substring(0, Math.max(0, one.name.lastIndexOf('.')));
                if (home.equals(pack) || deep && home.startsWith(pack.isEmpty() ? "" : pack + ".")) {
                    all.add(one);
                }
            }
            found.forEach(all::add);
            return all;
        }

        @Override
        public String inferBinaryName(Location location, JavaFileObject file) {
            return file instanceof Known one ? one.name : super.inferBinaryName(location, file);
        }

        @Override
        public boolean isSameFile(FileObject one, FileObject other) {
            return one == other;
        }
    }
}
