package dev.ketlink.tests.hl7v2;

import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.Primitive;
import ca.uhn.hl7v2.model.Segment;
import ca.uhn.hl7v2.model.Type;
import ca.uhn.hl7v2.model.MessageVisitorSupport;
import ca.uhn.hl7v2.model.MessageVisitors;
import ca.uhn.hl7v2.Location;
import ca.uhn.hl7v2.parser.CanonicalModelClassFactory;
import ca.uhn.hl7v2.parser.Parser;
import ca.uhn.hl7v2.util.Terser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * All values of messages, each of a file that is named on a line of the input. A line of JSON a file: { "file", "values": {
 * "PID[1]-3[1].1.1": [ text ] } }, or { "file", "error" }. All versions are read as 2.5.
 */
final class Values {
  private final StringBuilder out = new StringBuilder();
  private final Map<String, Integer> seen = new HashMap<>();

  private Values() {}

  static void print(HapiContext context, InputStream names) throws IOException {
    context.setModelClassFactory(new CanonicalModelClassFactory("2.5"));
    BufferedReader lines = new BufferedReader(new InputStreamReader(names, StandardCharsets.UTF_8));
    StringBuilder all = new StringBuilder();
    for (String path = lines.readLine(); path != null; path = lines.readLine()) {
      Values values = new Values();
      all.append("{\"file\":").append(quote(path));
      try {
        values.read(context.getPipeParser(), Files.readString(Path.of(path), StandardCharsets.UTF_8));
        all.append(",\"values\":{").append(values.out).append("}}\n");
      } catch (HL7Exception | RuntimeException e) {
        all.append(",\"error\":").append(quote(String.valueOf(e))).append("}\n");
      }
    }
    System.out.write(all.toString().getBytes(StandardCharsets.UTF_8));
    System.out.flush();
  }

  private void read(Parser parser, String text) throws HL7Exception {
    Message message = parser.parse(text);
    MessageVisitors.visit(message, MessageVisitors.visitPopulatedElements(new MessageVisitorSupport() {
      @Override
      public boolean start(Segment segment, Location location) throws HL7Exception {
        add(segment);
        return false;
      }
    }));
  }

  private void add(Segment segment) throws HL7Exception {
    int occurrence = seen.merge(segment.getName(), 1, Integer::sum);
    int first = segment.getName().equals("MSH") ? 3 : 1;
    for (int field = first; field <= segment.numFields(); field++) {
      Type[] repetitions = segment.getField(field);
      for (int i = 0; i < repetitions.length; i++) {
        add("%s[%d]-%d[%d]".formatted(segment.getName(), occurrence, field, i + 1), repetitions[i]);
      }
    }
  }

  private void add(String place, Type type) {
    for (int component = 1; component <= Terser.numComponents(type); component++) {
      for (int part = 1; part <= Terser.numSubComponents(type, component); part++) {
        Primitive primitive = Terser.getPrimitive(type, component, part);
        if (primitive == null || primitive.getValue() == null || primitive.getValue().isEmpty()) continue;
        out.append(out.length() == 0 ? "" : ",").append(quote(place + "." + component + "." + part)).append(":[");
        out.append(quote(primitive.getValue())).append(']');
      }
    }
  }

  private static String quote(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < ' ') quoted.append("\\u%04x".formatted((int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
