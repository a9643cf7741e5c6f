package dev.ketlink.tests.oracle;

import ca.uhn.fhir.context.FhirContext;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.fhir.ucum.UcumEssenceService;
import org.hl7.fhir.convertors.factory.VersionConvertorFactory_40_50;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r5.conformance.StructureDefinitionHacker;
import org.hl7.fhir.r5.context.CanonicalResourceManager.CanonicalResourceProxy;
import org.hl7.fhir.r5.context.SimpleWorkerContext;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.PackageInformation;
import org.hl7.fhir.r5.model.Parameters;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.utilities.ByteProvider;

/**
 * The definitions of FHIR 4.0.1 as a context of HL7's R5 library: types, value sets and code systems, as much as maps and FHIRPath
 * ask for. They come from hapi-fhir-validation-resources-r4; each file of it is one Bundle of megabytes, so it is cut into entries
 * by text. The library wants all types at once; anything else is parsed when it is first asked for.
 */
final class Definitions {
  static final String VERSION = "4.0.1";
  static final String CORE = "http://hl7.org/fhir/StructureDefinition/";
  private static final String FOLDER = "/org/hl7/fhir/r4/model/";
  private static final List<String> FILES = List.of("profile/profiles-types.xml", "profile/profiles-resources.xml",
      "valueset/valuesets.xml", "valueset/v3-codesystems.xml", "valueset/v2-tables.xml");
  private static final List<String> TYPES = List.of("StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap");
  // The Bundles are indented by one space a level.
  private static final String BEGIN = "\n  <resource>\n";
  private static final String END = "\n  </resource>";

  private Definitions() {}

  static SimpleWorkerContext load() throws Exception {
    PackageInformation core = new PackageInformation("hl7.fhir.r4.core", VERSION, VERSION, null);
    // The file that tells a context its version; there is no other way to set it.
    Map<String, ByteProvider> version = Map.of("version.info", ByteProvider.forBytes(("version=" + VERSION).getBytes(StandardCharsets.UTF_8)));
    SimpleWorkerContext context = new SimpleWorkerContext.SimpleWorkerContextBuilder().fromDefinitions(version, null, core);
    context.setAllowLoadingDuplicates(true);
    context.setCanRunWithoutTerminology(true);
    context.setNoTerminologyServer(true);
    context.setExpansionParameters(new Parameters());
    for (String file : FILES) {
      register(context, core, text(FOLDER + file));
    }
    try (InputStream units = Definitions.class.getResourceAsStream("/ucum-essence.xml")) {
      context.setUcumService(new UcumEssenceService(units));
    }
    return context;
  }

  private static String text(String resource) throws IOException {
    try (InputStream in = Definitions.class.getResourceAsStream(resource)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static void register(SimpleWorkerContext context, PackageInformation source, String bundle) {
    int end = 0;
    for (int at = bundle.indexOf(BEGIN); at >= 0; at = bundle.indexOf(BEGIN, end)) {
      int begin = at + BEGIN.length();
      end = bundle.indexOf(END, begin);
      String entry = bundle.substring(begin, end);
      if (TYPES.contains(type(entry))) {
        context.registerResourceFromPackage(new Entry(source, entry), source);
      }
    }
  }

  private static String type(String entry) {
    int begin = entry.indexOf('<') + 1;
    int end = begin;
    while (Character.isLetter(entry.charAt(end))) {
      end++;
    }
    return entry.substring(begin, end);
  }

  /** The value of a direct child of the resource, null without one. */
  private static String value(String entry, String child) {
    String begin = "\n    <" + child + " value=\"";
    int at = entry.indexOf(begin);
    return at < 0 ? null : entry.substring(at + begin.length(), entry.indexOf('"', at + begin.length()));
  }

  private static final class Entry extends CanonicalResourceProxy {
    private final PackageInformation source;
    private final String xml;

    Entry(PackageInformation source, String xml) {
      super(Definitions.type(xml), value(xml, "id"), value(xml, "url"), value(xml, "version"), value(xml, "supplements"),
          value(xml, "derivation"), value(xml, "content"));
      this.source = source;
      this.xml = xml;
    }

    @Override
    public CanonicalResource loadResource() {
      // HAPI's parser: HL7's own XML parser takes four times as long.
      Resource r4 = (Resource) FhirContext.forR4Cached().newXmlParser().parseResource(xml);
      CanonicalResource resource = (CanonicalResource) VersionConvertorFactory_40_50.convertResource(r4);
      if (resource instanceof StructureDefinition type) {
        resource = (CanonicalResource) new StructureDefinitionHacker(VERSION).fixSD(type);
      }
      resource.setSourcePackage(source);
      return resource;
    }
  }
}
