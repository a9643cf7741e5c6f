package dev.ketlink.tests.oracle;

import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;

/**
 * HL7's and HAPI's engines as an oracle. Without arguments it does jobs: a JSON object a line on standard input, one a line on standard
 * output. With arguments it makes one job of them: `transform MAP RECORD --mappings DIR`, `fhirpath EXPRESSION FILE`, `validate FILE`,
 * `check --mappings DIR`.
 */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    // The libraries print to standard output now and then; it carries answers only.
    PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    System.setOut(System.err);
    Jobs jobs = new Jobs();
    boolean ok = true;
    if (arguments.length > 0) {
      JsonObject job = job(List.of(arguments).iterator());
      ok = answer(jobs, job.toString(), answers);
    } else {
      BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        ok &= line.isBlank() || answer(jobs, line, answers);
      }
    }
    answers.flush();
    System.exit(ok ? 0 : 1);
  }

  private static boolean answer(Jobs jobs, String line, PrintStream answers) {
    JsonObject result = jobs.run(line);
    answers.println(result);
    answers.flush();
    return result.get("ok").getAsBoolean();
  }

  private static JsonObject job(Iterator<String> arguments) {
    JsonObject job = new JsonObject();
    String task = arguments.next();
    job.addProperty("do", task);
    Iterator<String> names = positional(task).iterator();
    while (arguments.hasNext()) {
      String argument = arguments.next();
      boolean option = argument.startsWith("--");
      if (option ? !arguments.hasNext() : !names.hasNext()) {
        throw new IllegalArgumentException("usage: see README.md; not understood: " + argument);
      }
      job.addProperty(option ? argument.substring(2) : names.next(), option ? arguments.next() : argument);
    }
    return job;
  }

  private static List<String> positional(String task) {
    return switch (task) {
      case "transform" -> List.of("map", "file");
      case "fhirpath" -> List.of("expression", "file");
      case "validate" -> List.of("file");
      case "check" -> List.of();
      default -> throw new IllegalArgumentException("unknown task: " + task);
    };
  }
}
