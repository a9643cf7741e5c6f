package dev.ketlink.tests.linuxforhealth;

import io.github.linuxforhealth.hl7.ConverterOptions;
import io.github.linuxforhealth.hl7.HL7ToFHIRConverter;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * message.hl7 of a folder to a FHIR Bundle by LinuxForHealth's converter, warm, text to text. Prints a JSON object: engine, median
 * (`microseconds`) and least time, and the Bundle, for the caller to compare.
 */
public final class Main {
  private static final int WARM_UP = 1000;
  private static final int ROUNDS = 501;

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    String text = Files.readString(Path.of(arguments[0], "message.hl7"), StandardCharsets.UTF_8);
    HL7ToFHIRConverter converter = new HL7ToFHIRConverter();
    ConverterOptions options = new ConverterOptions.Builder().withZoneIdText("+00:00").build();
    String result = converter.convert(text, options);
    for (int i = 0; i < WARM_UP; i++) converter.convert(text, options);
    double[] times = new double[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
      long start = System.nanoTime();
      result = converter.convert(text, options);
      times[i] = (System.nanoTime() - start) / 1000.0;
    }
    Arrays.sort(times);
    new PrintStream(System.out, true, StandardCharsets.UTF_8).printf(
        "{\"engine\":\"linuxforhealth\",\"microseconds\":%.3f,\"least\":%.3f,\"result\":%s}%n", times[ROUNDS / 2], times[0], result);
  }
}
