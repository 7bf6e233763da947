package steelyard.runner;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldInsnNode;
import org.objectweb.asm.tree.InsnList;
import org.objectweb.asm.tree.InsnNode;
import org.objectweb.asm.tree.LdcInsnNode;
import org.objectweb.asm.tree.LineNumberNode;
import org.objectweb.asm.tree.MethodNode;

/** Counts how often each line of chosen classes is entered: a counter of its own before the first instruction of each. */
final class Probes {
    static final int ROOM = 1 << 16; // counters of one program
    private final String holder = "p" + UUID.randomUUID().toString().replace("-", ""); // not to be guessed by a program
    private final List<String> places = new ArrayList<>();
    private final Set<String> seen = new HashSet<>();
    private int[] counts;

    /** Makes, in `loader`, the class that holds the counters. */
    void open(Loader loader) throws ReflectiveOperationException {
        ClassWriter writer = new ClassWriter(0);
        writer.visit(Opcodes.V11, Opcodes.ACC_PUBLIC | Opcodes.ACC_SYNTHETIC, holder, null, "java/lang/Object", null);
        writer.visitField(Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC, "n", "[I", null, null).visitEnd();
        writer.visitEnd();
        Field field = loader.define(holder, writer.toByteArray()).getField("n");
        counts = new int[ROOM];
        field.set(null, counts);
    }

    /** The class with its counters. */
    byte[] instrument(String name, byte[] bytes) {
        seen.add(name);
        ClassNode node = new ClassNode();
        new ClassReader(bytes).accept(node, 0);
        for (MethodNode method : node.methods) {
            for (AbstractInsnNode at : method.instructions.toArray()) {
                if (at instanceof LineNumberNode line && places.size() < ROOM) {
                    AbstractInsnNode before = at; // a stack map frame belongs to the label: never between them
                    while (before.getNext() != null && before.getNext().getOpcode() < 0) {
                        before = before.getNext();
                    }
                    InsnList probe = new InsnList();
                    probe.add(new FieldInsnNode(Opcodes.GETSTATIC, holder, "n", "[I"));
                    probe.add(new LdcInsnNode(places.size()));
                    probe.add(new InsnNode(Opcodes.DUP2));
                    probe.add(new InsnNode(Opcodes.IALOAD));
                    probe.add(new InsnNode(Opcodes.ICONST_1));
                    probe.add(new InsnNode(Opcodes.IADD));
                    probe.add(new InsnNode(Opcodes.IASTORE));
                    method.instructions.insert(before, probe);
                    places.add(name + "\t" + line.line);
                }
            }
        }
        ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        node.accept(writer);
        return writer.toByteArray();
    }

    /** Counts the lines of a class that was never loaded: none was entered. bytes: null where there is no such class. */
    void unloaded(String name, byte[] bytes) {
        if (bytes != null && !seen.contains(name)) {
            instrument(name, bytes);
        }
    }

    /** A line for each counter: class, line, hits; a source line may have several counters. */
    String report() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < places.size(); i++) {
            text.append(places.get(i)).append('\t').append(counts[i]).append('\n');
        }
        return text.toString();
    }
}
