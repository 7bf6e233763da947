package steelyard.runner;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The classes and resources of one program, from memory; its parent's (the libraries') come first. */
final class Loader extends ClassLoader {
    private final Map<String, byte[]> classes;
    private final Map<String, byte[]> resources;
    private final Set<String> covered;
    private final Probes probes;

    Loader(ClassLoader libraries, Map<String, byte[]> classes, Map<String, byte[]> resources, Set<String> covered, Probes probes)
            throws ReflectiveOperationException {
        super("program", libraries);
        this.classes = classes;
        this.resources = resources;
        this.covered = covered;
        this.probes = probes;
        if (!covered.isEmpty()) {
            probes.open(this);
        }
    }

    Class<?> define(String name, byte[] bytes) {
        return defineClass(name, bytes, 0, bytes.length);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        byte[] bytes = classes.get(name);
        if (bytes == null) {
            throw new ClassNotFoundException(name);
        }
        return define(name, covered.contains(name) ? probes.instrument(name, bytes) : bytes);
    }

    /** A resource is a file of the working folder, where it was put; a class file stands in memory only. */
    @Override
    protected URL findResource(String name) {
        if (resources.containsKey(name)) {
            try {
                return Path.of(name).toUri().toURL();
            } catch (IOException impossible) {
                throw new IllegalStateException(impossible);
            }
        }
        byte[] bytes = name.endsWith(".class") ? classes.get(name.substring(0, name.length() - 6).replace('/', '.')) : null;
        return bytes == null ? null : inMemory(name, bytes);
    }

    private static URL inMemory(String name, byte[] bytes) {
        try {
            return new URL("memory", "", -1, "/" + name, new URLStreamHandler() {
                @Override
                protected URLConnection openConnection(URL url) {
                    return new URLConnection(url) {
                        @Override
                        public void connect() {}

                        @Override
                        public InputStream getInputStream() {
                            return new ByteArrayInputStream(bytes);
                        }
                    };
                }
            });
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    @Override
    protected Enumeration<URL> findResources(String name) {
        URL found = findResource(name);
        return Collections.enumeration(found == null ? List.of() : List.of(found));
    }
}
