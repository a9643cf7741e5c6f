package dev.ketlink.tests.hl7v2;

import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.protocol.ReceivingApplication;
import ca.uhn.hl7v2.util.StandardSocketFactory;
import ca.uhn.hl7v2.util.Terser;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLServerSocket;

/**
 * HAPI HL7 v2 as a peer: send PORT FILE…, listen READY-FILE, bench FOLDER, values. With --tls keys and authorities are those of the Java
 * properties javax.net.ssl.keyStore and trustStore, and the listener asks for a client's certificate.
 */
public final class Main {
  private static final int WARM_UP = 3000;
  private static final int ROUNDS = 3001;

  /** Where each segment of message.hl7 stands in HAPI's structure; %d is the repetition, from 0. */
  private static final Map<String, String> PLACES = Map.of(
      "MSH", "/MSH",
      "PID", "/PATIENT_RESULT/PATIENT/PID",
      "PV1", "/PATIENT_RESULT/PATIENT/VISIT/PV1",
      "OBR", "/PATIENT_RESULT/ORDER_OBSERVATION/OBR",
      "OBX", "/PATIENT_RESULT/ORDER_OBSERVATION/OBSERVATION(%d)/OBX");

  private Main() {}

  public static void main(String[] line) throws Exception {
    List<String> arguments = new ArrayList<>(Arrays.asList(line));
    boolean tls = arguments.remove("--tls");
    String what = arguments.isEmpty() ? "" : arguments.remove(0);
    HapiContext context = new DefaultHapiContext();
    context.setValidationContext(ValidationContextFactory.noValidation());
    switch (what) {
      case "send" -> send(context, tls, arguments);
      case "listen" -> listen(context, tls, Path.of(arguments.get(0)));
      case "bench" -> bench(context, Path.of(arguments.get(0)));
      case "values" -> Values.print(context, System.in);
      default -> throw new IllegalArgumentException("send PORT FILE… | listen READY-FILE | bench FOLDER | values < NAMES");
    }
  }

  private static String read(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.UTF_8).replace('\n', '\r');
  }

  private static void send(HapiContext context, boolean tls, List<String> arguments) throws Exception {
    Connection connection = context.newClient("127.0.0.1", Integer.parseInt(arguments.remove(0)), tls);
    for (String file : arguments) {
      Message message = context.getPipeParser().parse(read(Path.of(file)));
      Terser answer = new Terser(connection.getInitiator().sendAndReceive(message));
      System.out.println(new Terser(message).get("/MSH-10") + " " + answer.get("/MSA-1") + " " + answer.get("/MSA-2"));
    }
    connection.close();
    context.close();
    System.exit(0);
  }

  /** On 127.0.0.1 alone, at a port that the system chooses and this remembers. */
  private static final class Sockets extends StandardSocketFactory {
    private volatile ServerSocket made;

    /** Binds before HAPI would; its own bind is left out. */
    private static final class Bound extends ServerSocket {
      Bound() throws IOException {
        super.bind(new InetSocketAddress("127.0.0.1", 0));
      }

      @Override
      public void bind(SocketAddress address) {}
    }

    @Override
    public ServerSocket createServerSocket() throws IOException {
      made = new Bound();
      return made;
    }

    @Override
    public ServerSocket createTlsServerSocket() throws IOException {
      SSLServerSocket socket = (SSLServerSocket) super.createTlsServerSocket();
      socket.setNeedClientAuth(true);
      made = socket;
      return socket;
    }
  }

  private static void listen(HapiContext context, boolean tls, Path ready) throws Exception {
    Sockets sockets = new Sockets();
    context.setSocketFactory(sockets);
    var server = context.newServer(0, tls);
    server.registerApplication(new ReceivingApplication<Message>() {
      @Override
      public Message processMessage(Message message, Map<String, Object> metadata) throws ca.uhn.hl7v2.HL7Exception {
        Terser terser = new Terser(message);
        System.out.println(terser.get("/MSH-10") + " " + terser.get("/MSH-9-1") + " " + terser.get("/MSH-9-2"));
        try {
          return message.generateACK();
        } catch (IOException e) {
          throw new ca.uhn.hl7v2.HL7Exception(e);
        }
      }

      @Override
      public boolean canProcess(Message message) {
        return true;
      }
    });
    server.startAndWait();
    while (sockets.made == null || !sockets.made.isBound()) Thread.sleep(20); // it is made in another thread
    Path part = Path.of(ready + ".part");
    Files.writeString(part, sockets.made.getLocalPort() + "\n");
    Files.move(part, ready, StandardCopyOption.ATOMIC_MOVE);
  }

  private static List<String> paths(Path folder) throws IOException {
    List<String> paths = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("places.tsv"))) {
      if (line.startsWith("#")) continue;
      String place = line.split("\t")[0];
      int dash = place.indexOf('-');
      String segment = place.substring(0, 3);
      int occurrence = place.charAt(3) == '[' ? Integer.parseInt(place.substring(4, dash - 1)) - 1 : 0;
      paths.add(PLACES.get(segment).formatted(occurrence) + place.substring(dash).replace('.', '-'));
    }
    return paths;
  }

  private static String[] values(HapiContext context, String text, List<String> paths) throws Exception {
    Terser terser = new Terser(context.getPipeParser().parse(text));
    String[] values = new String[paths.size()];
    for (int i = 0; i < values.length; i++) values[i] = terser.get(paths.get(i));
    return values;
  }

  private static void bench(HapiContext context, Path folder) throws Exception {
    String text = read(folder.resolve("message.hl7"));
    List<String> paths = paths(folder);
    String[] result = values(context, text, paths);
    for (int i = 0; i < WARM_UP; i++) result = values(context, text, paths);
    double[] times = new double[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
      long start = System.nanoTime();
      result = values(context, text, paths);
      times[i] = (System.nanoTime() - start) / 1000.0;
    }
    Arrays.sort(times);
    System.out.printf("{\"engine\":\"hapi\",\"microseconds\":%.3f,\"least\":%.3f,\"result\":[\"%s\"]}%n",
        times[ROUNDS / 2], times[0], String.join("\",\"", result));
  }
}
