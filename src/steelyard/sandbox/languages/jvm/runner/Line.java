package steelyard.runner;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The talk with the host on descriptor 3: a message is a count and so many blobs, each a length and its bytes. */
final class Line {
    private final DataInputStream in;
    private final DataOutputStream out;

    Line() throws ReflectiveOperationException {
        FileDescriptor descriptor = new FileDescriptor();
        Field number = FileDescriptor.class.getDeclaredField("fd");
        number.setAccessible(true);
        number.setInt(descriptor, 3);
        in = new DataInputStream(new BufferedInputStream(new FileInputStream(descriptor), 1 << 16));
        out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(descriptor), 1 << 16));
    }

    /** The next message. An end of the line is an EOFException. */
    List<byte[]> take() throws IOException {
        int count = in.readInt();
        List<byte[]> blobs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            blobs.add(in.readNBytes(in.readInt()));
        }
        return blobs;
    }

    /** Sends strings (as UTF-8) and byte arrays. */
    synchronized void send(Object... parts) throws IOException {
        out.writeInt(parts.length);
        for (Object part : parts) {
            byte[] bytes = part instanceof byte[] raw ? raw : part.toString().getBytes(StandardCharsets.UTF_8);
            out.writeInt(bytes.length);
            out.write(bytes);
        }
        out.flush();
    }

    static String text(byte[] blob) {
        return new String(blob, StandardCharsets.UTF_8);
    }

    /** The lines of a blob; none for an empty one. */
    static List<String> lines(byte[] blob) {
        return blob.length == 0 ? List.of() : List.of(text(blob).split("\n"));
    }
}
