package dev.ketlink.tests.oracle;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.hl7.fhir.exceptions.FHIRException;
import org.hl7.fhir.r5.conformance.profile.ProfileUtilities;
import org.hl7.fhir.r5.context.IContextResourceLoader;
import org.hl7.fhir.r5.context.SimpleWorkerContext;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.elementmodel.JsonParser;
import org.hl7.fhir.r5.elementmodel.Manager;
import org.hl7.fhir.r5.formats.IParser.OutputStyle;
import org.hl7.fhir.r5.model.Base;
import org.hl7.fhir.r5.model.Coding;
import org.hl7.fhir.r5.model.ElementDefinition;
import org.hl7.fhir.r5.model.Resource;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.r5.model.StructureDefinition.StructureDefinitionKind;
import org.hl7.fhir.r5.model.StructureMap;
import org.hl7.fhir.r5.model.StructureMap.StructureMapGroupInputComponent;
import org.hl7.fhir.r5.model.StructureMap.StructureMapInputMode;
import org.hl7.fhir.r5.model.StructureMap.StructureMapModelMode;
import org.hl7.fhir.r5.model.StructureMap.StructureMapStructureComponent;
import org.hl7.fhir.r5.utils.structuremap.ITransformerServices;
import org.hl7.fhir.r5.utils.structuremap.StructureMapUtilities;
import org.hl7.fhir.validation.ValidatorUtils;

/** The maps, ConceptMaps and logical models of some folders or files, ready to run in HL7's StructureMap engine. */
final class Mappings {
  private final SimpleWorkerContext context;
  private final StructureMapUtilities engine;
  private final List<StructureMap> maps = new ArrayList<>();
  private final JsonArray faults = new JsonArray();

  Mappings(SimpleWorkerContext definitions, List<Path> sources) throws Exception {
    context = new SimpleWorkerContext(definitions);
    engine = new StructureMapUtilities(context, new Services(context));
    List<Path> files = files(sources);
    for (Path file : files) {
      if (file.toString().endsWith(".json")) {
        loadResource(file);
      }
    }
    for (Path file : files) {
      if (!file.toString().endsWith(".json")) {
        loadMap(file);
      }
    }
  }

  /** What could not be read, one {file, message} each. */
  JsonArray faults() {
    return faults;
  }

  List<StructureMap> maps() {
    return maps;
  }

  /** Runs the first group of the map on a source text; gives the target as JSON text. */
  String transform(String name, byte[] source) throws Exception {
    StructureMap map = map(name);
    StructureDefinition from = type(map, StructureMapInputMode.SOURCE);
    StructureDefinition to = type(map, StructureMapInputMode.TARGET);
    JsonParser parser = new JsonParser(context);
    if (from.getKind() == StructureDefinitionKind.LOGICAL) {
      parser.setLogicalModelResolver(object -> from);
    }
    Element in = parser.parseSingle(new ByteArrayInputStream(source), null);
    Element out = Manager.build(context, to);
    engine.transform(null, in, map, out);
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    new JsonParser(context).compose(out, text, OutputStyle.NORMAL, null);
    return text.toString(StandardCharsets.UTF_8);
  }

  private static List<Path> files(List<Path> sources) throws IOException {
    List<Path> result = new ArrayList<>();
    for (Path source : sources) {
      try (Stream<Path> tree = Files.walk(source)) {
        tree.filter(f -> f.toString().matches(".*\\.(json|fml|map)") && Files.isRegularFile(f)).sorted().forEach(result::add);
      }
    }
    return result;
  }

  /** Definitions are R4; other JSON files of a mappings folder (routes, destinations) are none of this program's business. */
  private void loadResource(Path file) throws IOException {
    String text = Files.readString(file);
    if (!text.contains("\"resourceType\"")) {
      return;
    }
    IContextResourceLoader loader = ValidatorUtils.loaderForVersion(Definitions.VERSION);
    try {
      Resource resource = loader.loadResource(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)), true);
      if (resource instanceof StructureDefinition model && !model.hasSnapshot()) {
        complete(model);
      }
      context.cacheResource(resource);
      if (resource instanceof StructureMap map) {
        maps.add(map);
      }
    } catch (Exception e) {
      fault(file, e);
    }
  }

  /**
   * Logical models of this project name each element in the differential, so that is the snapshot. HL7's snapshot generator refuses
   * them for two reasons: it wants the last part of the type to be the name of the root element (R4's sdf-8 leaves out kind
   * `logical`), and an item's `id` to stay what Element.id is.
   */
  private static void complete(StructureDefinition model) {
    String type = model.getType();
    if (type.contains("/")) {
      model.setType(type.substring(0, type.lastIndexOf('/') + 1) + model.getDifferential().getElementFirstRep().getPath());
    }
    for (ElementDefinition element : model.getDifferential().getElement()) {
      ElementDefinition copy = element.copy();
      copy.getBase().setPath(copy.getPath()).setMin(copy.getMin()).setMax(copy.getMax());
      model.getSnapshot().addElement(copy);
    }
  }

  private void loadMap(Path file) throws IOException {
    try {
      StructureMap map = engine.parse(Files.readString(file), file.getFileName().toString());
      context.cacheResource(map);
      maps.add(map);
    } catch (FHIRException e) {
      fault(file, e);
    }
  }

  private void fault(Path file, Exception e) {
    JsonObject fault = new JsonObject();
    fault.addProperty("file", file.getFileName().toString());
    fault.addProperty("message", String.valueOf(e.getMessage()));
    faults.add(fault);
  }

  private StructureMap map(String name) {
    for (StructureMap map : maps) {
      if (name.equals(map.getUrl()) || name.equals(map.getName())) {
        return map;
      }
    }
    throw new FHIRException("no map " + name + (faults.isEmpty() ? "" : "; faults: " + faults));
  }

  /** The type of the first input of that mode in the first group: by alias of a `uses`, else a core type. */
  private StructureDefinition type(StructureMap map, StructureMapInputMode mode) {
    for (StructureMapGroupInputComponent input : map.getGroupFirstRep().getInput()) {
      if (input.getMode() != mode) {
        continue;
      }
      String url = url(map, input.getType(), mode);
      StructureDefinition type = context.fetchResource(StructureDefinition.class, url);
      if (type == null) {
        throw new FHIRException("no definition of " + url);
      }
      return type;
    }
    throw new FHIRException("no " + mode.toCode() + " in group " + map.getGroupFirstRep().getName());
  }

  private static String url(StructureMap map, String name, StructureMapInputMode mode) {
    StructureMapModelMode wanted = StructureMapModelMode.fromCode(mode.toCode());
    List<StructureMapStructureComponent> same = map.getStructure().stream().filter(s -> s.getMode() == wanted).toList();
    for (StructureMapStructureComponent structure : same) {
      if (name == null || name.equals(structure.getAlias()) || structure.getUrl().endsWith("/" + name)) {
        return structure.getUrl();
      }
    }
    return Definitions.CORE + name;
  }

  /** Everything that a map makes is an Element of R4; nothing leaves the map while it runs. */
  private record Services(SimpleWorkerContext context) implements ITransformerServices {
    @Override
    public void log(String message) {
      // The engine logs each rule with its values: records are not logged.
    }

    @Override
    public Base createType(Object info, String name, ProfileUtilities profiles) {
      String url = name.contains("/") ? name : Definitions.CORE + name;
      StructureDefinition type = context.fetchResource(StructureDefinition.class, url);
      if (type == null) {
        throw new FHIRException("no definition of " + url);
      }
      return Manager.build(context, type);
    }

    @Override
    public Base createResource(Object info, Base resource, boolean atRoot) {
      return resource;
    }

    @Override
    public Coding translate(Object info, Coding source, String conceptMap) {
      throw new FHIRException("no ConceptMap " + conceptMap);
    }

    @Override
    public Base resolveReference(Object info, String url) {
      throw new FHIRException("references are not resolved in maps");
    }

    @Override
    public List<Base> performSearch(Object info, String url) {
      throw new FHIRException("maps do not search");
    }
  }
}
