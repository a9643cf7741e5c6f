package dev.ketlink.tests.oracle;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport.IssueSeverity;
import ca.uhn.fhir.parser.IParser;
import ca.uhn.fhir.parser.LenientErrorHandler;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.utilities.npm.NpmPackage;

/** HAPI's validator on R4, with packages beside the base definitions, and no terminology server. */
final class Validation {
  private final FhirValidator validator;

  Validation(FhirContext fhir, List<Path> packages) throws IOException {
    PrePopulatedValidationSupport guides = new PrePopulatedValidationSupport(fhir);
    for (Path file : packages) {
      addPackage(fhir, guides, file);
    }
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(fhir);
    unknown.setNonExistentCodeSystemSeverity(IssueSeverity.INFORMATION);
    ValidationSupportChain chain = new ValidationSupportChain(new DefaultProfileValidationSupport(fhir), guides,
        new CommonCodeSystemsTerminologyService(fhir), new InMemoryTerminologyServerValidationSupport(fhir),
        new SnapshotGeneratingValidationSupport(fhir), unknown);
    FhirInstanceValidator module = new FhirInstanceValidator(chain);
    module.setAnyExtensionsAllowed(true);
    module.setErrorForUnknownProfiles(false);
    validator = fhir.newValidator().registerValidatorModule(module);
  }

  JsonArray issues(String resource, List<String> profiles) {
    ValidationOptions options = new ValidationOptions();
    profiles.forEach(options::addProfile);
    JsonArray result = new JsonArray();
    for (SingleValidationMessage message : validator.validateWithResult(resource, options).getMessages()) {
      JsonObject issue = new JsonObject();
      issue.addProperty("severity", message.getSeverity().getCode());
      issue.addProperty("path", message.getLocationString());
      issue.addProperty("line", message.getLocationLine());
      issue.addProperty("column", message.getLocationCol());
      issue.addProperty("id", message.getMessageId());
      issue.addProperty("text", message.getMessage());
      result.add(issue);
    }
    return result;
  }

  private static void addPackage(FhirContext fhir, PrePopulatedValidationSupport guides, Path file) throws IOException {
    NpmPackage content;
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      content = NpmPackage.fromPackage(in);
    }
    IParser parser = fhir.newJsonParser().setParserErrorHandler(new LenientErrorHandler(false));
    for (String name : content.listResources("StructureDefinition", "ValueSet", "CodeSystem")) {
      try (InputStream in = content.loadResource(name)) {
        guides.addResource(parser.parseResource(new String(in.readAllBytes(), StandardCharsets.UTF_8)));
      }
    }
  }
}
