// jPOS as an acquirer's host: UnionPay frames in, MAC checked, unpacked, answered, MAC made. No journal.
//
//   java -cp ... JposServer PORT PACKAGER.xml KEYS
//
// KEYS: a line a terminal, "TID key in hex". ISOServer with a channel of the dialect's framing and a
// request listener that replies at once: the shortest way through jPOS. No logger. A message whose MAC
// is wrong ends its connection.
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.SecretKeySpec;
import org.jpos.iso.*;
import org.jpos.iso.packager.GenericPackager;
import org.jpos.util.ThreadPool;

public class JposServer {
    static final Map<String, byte[]> KEYS = new HashMap<>();
    static final int MAC_SIZE = 8;

    /** Length of two bytes, TPDU of five, header of six; MACs over raw bytes. */
    public static class UnionPayChannel extends BaseChannel {
        private final Map<String, Cipher> ciphers = new HashMap<>();

        @Override protected int getMessageLength() throws IOException {
            return serverIn.readUnsignedShort();
        }
        @Override protected void sendMessageLength(int size) throws IOException {
            serverOut.writeShort(size);
        }
        @Override protected int getHeaderLength() { return 11; }
        @Override protected int getHeaderLength(ISOMsg message) { return 11; }
        @Override protected int getHeaderLength(byte[] body) { return 11; }
        @Override protected void sendMessageHeader(ISOMsg message, int size) throws IOException {
            byte[] header = message.getHeader().clone();
            for (int at = 1; at < 3; at++) { // the answer goes back: addresses change sides
                byte kept = header[at];
                header[at] = header[at + 2];
                header[at + 2] = kept;
            }
            serverOut.write(header);
        }
        @Override protected void unpack(ISOMsg message, byte[] body) throws ISOException {
            super.unpack(message, body);
            byte[] mac = mac(message.getString(41), body, body.length - MAC_SIZE);
            if (!Arrays.equals(mac, message.getBytes(64))) throw new ISOException("MAC is wrong");
        }
        @Override protected byte[] pack(ISOMsg message) throws ISOException {
            message.set(64, new byte[MAC_SIZE]);
            byte[] body = super.pack(message);
            byte[] mac = mac(message.getString(41), body, body.length - MAC_SIZE);
            System.arraycopy(mac, 0, body, body.length - MAC_SIZE, MAC_SIZE);
            return body;
        }

        private Cipher cipher(String tid) throws ISOException {
            Cipher known = ciphers.get(tid);
            if (known != null) return known;
            try {
                byte[] key = KEYS.get(tid);
                String name = key.length == 8 ? "DES" : "DESede";
                if (key.length == 16) {
                    key = Arrays.copyOf(key, 24);
                    System.arraycopy(key, 0, key, 16, 8);
                }
                Cipher made = Cipher.getInstance(name + "/ECB/NoPadding");
                made.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, name));
                ciphers.put(tid, made);
                return made;
            } catch (java.security.GeneralSecurityException fault) {
                throw new ISOException(fault);
            }
        }

        /** XOR fold, hex, encipher, XOR, encipher, hex: the dialect's ECB way. */
        private byte[] mac(String tid, byte[] data, int size) throws ISOException {
            byte[] fold = new byte[8];
            for (int at = 0; at < size; at++) fold[at % 8] ^= data[at];
            byte[] hex = ISOUtil.hexString(fold).getBytes(StandardCharsets.US_ASCII);
            try {
                Cipher cipher = cipher(tid);
                byte[] block = cipher.doFinal(hex, 0, 8);
                for (int at = 0; at < 8; at++) block[at] ^= hex[8 + at];
                byte[] last = cipher.doFinal(block);
                return ISOUtil.hexString(last).substring(0, 8).getBytes(StandardCharsets.US_ASCII);
            } catch (java.security.GeneralSecurityException fault) {
                throw new ISOException(fault);
            }
        }
    }

    static boolean answer(ISOSource source, ISOMsg message) {
        try {
            message.setMTI("0210");
            for (int field : new int[] {14, 22, 23, 26, 35, 52, 53, 55}) message.unset(field);
            message.set(12, "092400");
            message.set(13, "1122");
            message.set(37, ISOUtil.zeropad(message.getString(11), 12));
            message.set(38, message.getString(11));
            message.set(39, "00");
            source.send(message);
            return true;
        } catch (ISOException | IOException fault) {
            return false;
        }
    }

    public static void main(String[] given) throws Exception {
        for (String line : Files.readAllLines(Paths.get(given[2]))) {
            String[] parts = line.split(" ");
            KEYS.put(parts[0], ISOUtil.hex2byte(parts[1]));
        }
        UnionPayChannel channel = new UnionPayChannel();
        channel.setPackager(new GenericPackager(new FileInputStream(given[1])));
        ISOServer server = new ISOServer(Integer.parseInt(given[0]), channel, new ThreadPool(1, 2000));
        server.addISORequestListener(JposServer::answer);
        new Thread(server).start();
        System.out.println("ready");
        System.in.read(); // until the bench is done with it
        System.exit(0);
    }
}
