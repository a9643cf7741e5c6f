package dev.ketlink.tests.oracle;

import ca.uhn.fhir.context.FhirContext;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hl7.fhir.r5.context.SimpleWorkerContext;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.fhirpath.ExpressionNode;
import org.hl7.fhir.r5.model.Base;
import org.hl7.fhir.r5.model.StructureMap;

/** Does jobs one by one. What is expensive to make (definitions, mappings, validators) is made once, when a job first needs it. */
final class Jobs {
  private SimpleWorkerContext definitions;
  private Paths paths;
  private FhirContext fhir;
  private final Map<List<Path>, Mappings> mappings = new HashMap<>();
  private final Map<List<Path>, Validation> validations = new HashMap<>();

  private interface Work<T> {
    T run() throws Exception;
  }

  /** Never throws: a job that fails says so in its answer. */
  JsonObject run(String line) {
    JsonObject answer = new JsonObject();
    try {
      JsonObject job = JsonParser.parseString(line).getAsJsonObject();
      if (job.has("id")) {
        answer.add("id", job.get("id"));
      }
      run(job, answer);
      answer.addProperty("ok", true);
    } catch (Exception | StackOverflowError | AssertionError e) {
      fail(answer, e);
    } catch (Error e) {
      // HL7's library throws plain Errors for what it does not support; anything else is this program's end.
      if (e.getClass() != Error.class) {
        throw e;
      }
      fail(answer, e);
    }
    return answer;
  }

  private static void fail(JsonObject answer, Throwable e) {
    answer.addProperty("ok", false);
    answer.addProperty("error", e.getMessage() == null ? e.toString() : e.getMessage());
  }

  private void run(JsonObject job, JsonObject answer) throws Exception {
    switch (job.get("do").getAsString()) {
      case "transform" -> transform(job, answer);
      case "check" -> check(job, answer);
      case "fhirpath" -> fhirpath(job, answer);
      case "validate" -> validate(job, answer);
      default -> throw new IllegalArgumentException("unknown job " + job.get("do"));
    }
  }

  private void transform(JsonObject job, JsonObject answer) throws Exception {
    Mappings set = mappings(job);
    byte[] source = source(job);
    String map = job.get("map").getAsString();
    String target = timed(job, answer, () -> set.transform(map, source));
    answer.add("result", JsonParser.parseString(target));
  }

  private void check(JsonObject job, JsonObject answer) throws Exception {
    Mappings set = mappings(job);
    JsonArray names = new JsonArray();
    for (StructureMap map : set.maps()) {
      names.add(map.getUrl());
    }
    answer.add("maps", names);
    answer.add("faults", set.faults());
    if (!set.faults().isEmpty()) {
      throw new IllegalStateException(set.faults().size() + " files could not be read");
    }
  }

  private void fhirpath(JsonObject job, JsonObject answer) throws Exception {
    if (paths == null) {
      paths = new Paths(definitions());
    }
    Element resource = job.has("file") || job.has("resource") ? paths.read(source(job)) : null;
    ExpressionNode expression = paths.parse(job.get("expression").getAsString());
    if (job.has("check") && job.get("check").getAsBoolean()) {
      paths.check(expression, resource);
    }
    List<Base> items = timed(job, answer, () -> paths.evaluate(expression, resource));
    answer.add("items", paths.describe(items));
  }

  private void validate(JsonObject job, JsonObject answer) throws Exception {
    List<Path> packages = files(job, "package");
    if (!validations.containsKey(packages)) {
      if (fhir == null) {
        fhir = FhirContext.forR4();
      }
      validations.put(packages, new Validation(fhir, packages));
    }
    Validation validation = validations.get(packages);
    String text = new String(source(job), StandardCharsets.UTF_8);
    List<String> profiles = strings(job, "profile");
    answer.add("issues", timed(job, answer, () -> validation.issues(text, profiles)));
  }

  /** With "repeat" the work is done so often and the answer tells its median and least time; "warm" times before that do not count. */
  private static <T> T timed(JsonObject job, JsonObject answer, Work<T> work) throws Exception {
    for (int i = number(job, "warm", 0); i > 0; i--) {
      work.run();
    }
    int count = number(job, "repeat", 1);
    long[] times = new long[count];
    T result = null;
    for (int i = 0; i < count; i++) {
      long begin = System.nanoTime();
      result = work.run();
      times[i] = System.nanoTime() - begin;
    }
    Arrays.sort(times);
    answer.addProperty("microseconds", times[count / 2] / 1000.0);
    answer.addProperty("least", times[0] / 1000.0);
    return result;
  }

  private static int number(JsonObject job, String name, int otherwise) {
    return job.has(name) ? job.get(name).getAsInt() : otherwise;
  }

  private Mappings mappings(JsonObject job) throws Exception {
    List<Path> sources = files(job, "mappings");
    if (!mappings.containsKey(sources)) {
      mappings.put(sources, new Mappings(definitions(), sources));
    }
    return mappings.get(sources);
  }

  private SimpleWorkerContext definitions() throws Exception {
    if (definitions == null) {
      definitions = Definitions.load();
    }
    return definitions;
  }

  private static byte[] source(JsonObject job) throws Exception {
    return job.has("resource") ? job.get("resource").toString().getBytes(StandardCharsets.UTF_8)
        : Files.readAllBytes(Path.of(job.get("file").getAsString()));
  }

  private static List<Path> files(JsonObject job, String name) {
    return strings(job, name).stream().map(Path::of).toList();
  }

  /** One string or an array of strings. */
  private static List<String> strings(JsonObject job, String name) {
    List<String> result = new ArrayList<>();
    JsonElement value = job.get(name);
    if (value instanceof JsonArray array) {
      array.forEach(item -> result.add(item.getAsString()));
    } else if (value != null) {
      result.add(value.getAsString());
    }
    return result;
  }
}
