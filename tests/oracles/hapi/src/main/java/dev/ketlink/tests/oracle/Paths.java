package dev.ketlink.tests.oracle;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.hl7.fhir.exceptions.FHIRException;
import org.hl7.fhir.r5.context.SimpleWorkerContext;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.elementmodel.JsonParser;
import org.hl7.fhir.r5.elementmodel.Manager;
import org.hl7.fhir.r5.elementmodel.ParserBase;
import org.hl7.fhir.r5.fhirpath.BaseHostServices;
import org.hl7.fhir.r5.fhirpath.ExpressionNode;
import org.hl7.fhir.r5.fhirpath.FHIRPathEngine;
import org.hl7.fhir.r5.formats.IParser.OutputStyle;
import org.hl7.fhir.r5.model.Base;
import org.hl7.fhir.r5.model.DataType;
import org.hl7.fhir.r5.model.Quantity;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.r5.model.StructureDefinition.TypeDerivationRule;
import org.hl7.fhir.r5.model.ValueSet;

/** HL7's FHIRPath engine on R4 resources. */
final class Paths {
  private final SimpleWorkerContext context;
  private final FHIRPathEngine engine;

  Paths(SimpleWorkerContext context) {
    this.context = context;
    engine = new FHIRPathEngine(context);
    engine.setHostServices(new Host(context));
  }

  ExpressionNode parse(String expression) {
    return engine.parse(expression);
  }

  Element read(byte[] text) throws Exception {
    boolean xml = new String(text, StandardCharsets.UTF_8).stripLeading().startsWith("<");
    ParserBase parser = Manager.makeParser(context, xml ? Manager.FhirFormat.XML : Manager.FhirFormat.JSON);
    Element resource = parser.parseSingle(new ByteArrayInputStream(text), null);
    if (resource == null) {
      throw new FHIRException("not an R4 resource");
    }
    return resource;
  }

  /** Raises what the static type check objects to. */
  void check(ExpressionNode expression, Element resource) {
    String type = resource == null ? null : resource.fhirType();
    engine.check(null, type, type, type, expression);
  }

  List<Base> evaluate(ExpressionNode expression, Element resource) {
    return engine.evaluate(null, resource, resource, resource, expression);
  }

  JsonArray describe(List<Base> items) throws Exception {
    JsonArray result = new JsonArray();
    for (Base item : items) {
      JsonObject row = new JsonObject();
      row.addProperty("type", item.fhirType());
      row.addProperty("value", text(item));
      result.add(row);
    }
    return result;
  }

  private String text(Base item) throws Exception {
    if (item.isPrimitive()) {
      return item.primitiveValue();
    }
    if (item instanceof Quantity) {
      Quantity quantity = (Quantity) item;
      return quantity.getValueElement().asStringValue() + " '" + quantity.getCode() + "'";
    }
    if (item instanceof Element) {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      new JsonParser(context).compose((Element) item, out, OutputStyle.NORMAL, null);
      return out.toString(StandardCharsets.UTF_8);
    }
    return item instanceof DataType ? new org.hl7.fhir.r5.formats.JsonParser().composeString((DataType) item, item.fhirType())
        : item.toString();
  }

  /** What an expression may ask of its surroundings: a resource of the same Bundle, a contained one, a value set of R4. */
  private static final class Host extends BaseHostServices {
    private final SimpleWorkerContext context;

    Host(SimpleWorkerContext context) {
      super(context);
      this.context = context;
    }

    @Override
    public boolean log(String argument, List<Base> focus) {
      return false;
    }

    @Override
    public Base resolveReference(FHIRPathEngine engine, Object info, String url, Base from) {
      for (Element at = from instanceof Element ? (Element) from : null; at != null; at = at.getParentForValidator()) {
        Base found = url.startsWith("#") ? contained(at, url.substring(1)) : entry(at, url);
        if (found != null) {
          return found;
        }
      }
      return null;
    }

    private static Base contained(Element at, String id) {
      for (Element resource : at.getChildrenByName("contained")) {
        if (id.equals(resource.getIdBase())) {
          return resource;
        }
      }
      return null;
    }

    private static Base entry(Element at, String url) {
      if (!"Bundle".equals(at.fhirType())) {
        return null;
      }
      for (Element entry : at.getChildrenByName("entry")) {
        Element resource = entry.getNamedChild("resource");
        if (resource != null && (url.equals(entry.getNamedChildValue("fullUrl"))
            || url.equals(resource.fhirType() + "/" + resource.getIdBase()))) {
          return resource;
        }
      }
      return null;
    }

    @Override
    public Base findContainingResource(Object info, Base item) {
      Element at = item instanceof Element ? (Element) item : null;
      while (at != null && !at.isResource()) {
        at = at.getParentForValidator();
      }
      return at;
    }

    @Override
    public boolean conformsToProfile(FHIRPathEngine engine, Object info, Base item, String url) {
      StructureDefinition type = context.fetchResource(StructureDefinition.class, url);
      if (type == null || type.getDerivation() == TypeDerivationRule.CONSTRAINT) {
        throw new FHIRException("conformsTo() is answered for types only");
      }
      return type.getType().equals(item.fhirType());
    }

    @Override
    public ValueSet resolveValueSet(FHIRPathEngine engine, Object info, String url) {
      return context.fetchResource(ValueSet.class, url);
    }

    @Override
    public boolean paramIsType(String name, int index) {
      return false;
    }
  }
}
