package steelyard.runner;

import java.io.IOException;
import java.lang.module.Configuration;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * JUnit and the class that talks to it, loaded once as one named module: programs see its public interface, and reach none of
 * its state by reflection, so that they may share it.
 */
final class Libraries extends ModuleReference {
    private static final String NAME = "libraries";
    private static final String JUDGE = "steelyard.judge";
    private static final List<String> INNER = List.of("org.junit.platform.launcher", "org.junit.platform.engine",
            "org.junit.platform.commons.logging", "org.junit.jupiter.engine", "org.junit.vintage", JUDGE);

    private final Map<String, URI> entries;

    private Libraries(ModuleDescriptor descriptor, Map<String, URI> entries) {
        super(descriptor, null);
        this.entries = entries;
    }

    /** The talk with JUnit, from its jars and the folder of our class for it. */
    @SuppressWarnings("unchecked")
    static BiConsumer<Object[], Consumer<Object[]>> open(List<Path> jars, Path judge) throws IOException, ReflectiveOperationException {
        Map<String, URI> entries = new HashMap<>();
        for (Path jar : jars) {
            try (JarFile file = new JarFile(jar.toFile())) {
                file.stream().filter(entry -> !entry.isDirectory()).forEach(
                        entry -> entries.putIfAbsent(entry.getName(), URI.create("jar:" + jar.toUri() + "!/" + entry.getName())));
            }
        }
        try (Stream<Path> found = Files.walk(judge)) {
            found.filter(Files::isRegularFile).forEach(file -> entries.put(judge.relativize(file).toString(), file.toUri()));
        }
        Set<String> packages = new TreeSet<>();
        for (String name : entries.keySet()) {
            if (name.endsWith(".class") && name.indexOf('/') > 0 && !name.startsWith("META-INF/")) {
                packages.add(name.substring(0, name.lastIndexOf('/')).replace('/', '.'));
            }
        }
        ModuleDescriptor.Builder builder = ModuleDescriptor.newModule(NAME).requires("java.se").packages(packages)
                .uses("org.junit.jupiter.api.extension.Extension");
        packages.stream().filter(one -> INNER.stream().noneMatch(one::startsWith)).forEach(builder::exports);
        ModuleReference reference = new Libraries(builder.build(), entries);
        ModuleFinder finder = new ModuleFinder() {
            @Override
            public Optional<ModuleReference> find(String name) {
                return name.equals(NAME) ? Optional.of(reference) : Optional.empty();
            }

            @Override
            public Set<ModuleReference> findAll() {
                return Set.of(reference);
            }
        };
        ModuleLayer boot = ModuleLayer.boot();
        Configuration configuration = boot.configuration().resolve(finder, ModuleFinder.of(), Set.of(NAME));
        ModuleLayer.Controller controller =
                ModuleLayer.defineModulesWithOneLoader(configuration, List.of(boot), ClassLoader.getPlatformClassLoader());
        Module module = controller.layer().findModule(NAME).orElseThrow();
        controller.addExports(module, JUDGE, Libraries.class.getModule());
        Class<?> made = Class.forName(module, JUDGE + ".Judge");
        return (BiConsumer<Object[], Consumer<Object[]>>) made.getDeclaredConstructor().newInstance();
    }

    @Override
    public ModuleReader open() {
        return new ModuleReader() {
            @Override
            public Optional<URI> find(String name) {
                return Optional.ofNullable(entries.get(name));
            }

            @Override
            public Stream<String> list() {
                return entries.keySet().stream();
            }

            @Override
            public void close() {}
        };
    }
}
