// jPOS reads the messages of a file: "show" prints every field, "run" prints ns a message.
//
//   java -cp ... JposCodec MESSAGES PACKAGER.xml
//
// MESSAGES: for each message a length of two bytes, big-endian, and its body.
import java.io.*;
import java.nio.file.*;
import java.util.*;
import org.jpos.iso.*;
import org.jpos.iso.packager.GenericPackager;

public class JposCodec {
    static List<byte[]> bodies(String path) throws IOException {
        List<byte[]> found = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(
                 new BufferedInputStream(Files.newInputStream(Paths.get(path))))) {
            while (in.available() > 0) {
                byte[] body = new byte[in.readUnsignedShort()];
                in.readFully(body);
                found.add(body);
            }
        }
        return found;
    }

    static ISOMsg read(ISOPackager packager, byte[] body) throws ISOException {
        ISOMsg message = new ISOMsg();
        message.setPackager(packager);
        message.unpack(body);
        return message;
    }

    static void show(ISOPackager packager, List<byte[]> bodies, PrintStream out) throws Exception {
        for (int row = 0; row < bodies.size(); row++) {
            ISOMsg message = read(packager, bodies.get(row));
            for (int field = 2; field <= 64; field++) {
                if (!message.hasField(field)) continue;
                Object value = message.getValue(field);
                String text = value instanceof byte[] bytes ? ISOUtil.hexString(bytes)
                                                            : value.toString();
                out.println(row + " " + field + " " + text.replace('=', 'D'));
            }
        }
    }

    public static void main(String[] given) throws Exception {
        List<byte[]> bodies = bodies(given[0]);
        ISOPackager packager = new GenericPackager(new FileInputStream(given[1]));
        PrintStream out = new PrintStream(System.out, false);
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        for (String line = asked.readLine(); line != null; line = asked.readLine()) {
            if (line.equals("show")) {
                show(packager, bodies, out);
            } else {
                int kept = 0;
                long began = System.nanoTime();
                for (byte[] body : bodies) kept += read(packager, body).getMaxField();
                long took = System.nanoTime() - began;
                if (kept == 0) throw new IllegalStateException("nothing was read");
                out.println((double) took / bodies.size());
            }
            out.println(".");
            out.flush();
        }
    }
}
