"""FHIR R4's definitions as the tests need them: which elements a type has, and the nodes of a resource with their definitions."""
import collections
import json

SYSTEM_TYPES = {"http://hl7.org/fhirpath/System.String": "string"}
PRIMITIVES = {"boolean", "integer", "string", "decimal", "uri", "url", "canonical", "base64Binary", "instant", "date", "dateTime", "time",
              "code", "oid", "id", "markdown", "unsignedInt", "positiveInt", "uuid", "xhtml"}

# A node of a resource: `keys` lead to it from the root; `path` is as validators write it; `beside` are the names of its object's members.
Node = collections.namedtuple("Node", "keys path value element type beside")


class Definitions:
    """Types by name; value sets that can be listed, as sets of (system, code)."""

    def __init__(self, folder):
        self.elements = {}  # type or path of a backbone element -> {name: element}
        self.resources = set()
        self.value_sets, self.code_systems = {}, {}
        for name in ("profiles-types.json", "profiles-resources.json"):
            for entry in json.loads((folder / name).read_text())["entry"]:
                self.add_structure(entry["resource"])
        for name in ("valuesets.json", "v3-codesystems.json", "v2-tables.json"):
            for entry in json.loads((folder / name).read_text())["entry"]:
                self.add_terminology(entry["resource"])

    def add_structure(self, structure):
        if structure["resourceType"] != "StructureDefinition" or structure.get("derivation") == "constraint":
            return
        if structure["kind"] == "resource" and not structure["abstract"]:
            self.resources.add(structure["name"])
        for element in structure["snapshot"]["element"]:
            owner, _, name = element["path"].rpartition(".")
            if owner:
                self.elements.setdefault(owner, {})[name] = element

    def add_terminology(self, resource):
        if resource["resourceType"] == "ValueSet":
            self.value_sets[resource["url"]] = resource
        elif resource["resourceType"] == "CodeSystem" and resource["content"] == "complete":
            self.code_systems[resource["url"]] = resource

    def codes(self, url):
        """(system, code) of a value set that is wholly here, else None."""
        value_set = self.value_sets.get(url.split("|")[0])
        includes = value_set.get("compose", {}).get("include", []) if value_set else []
        result = set()
        for include in includes:
            system = include.get("system")
            if include.get("filter") or include.get("valueSet") or (system not in self.code_systems and "concept" not in include):
                return None
            concepts = include.get("concept") or list(flat(self.code_systems[system].get("concept", [])))
            result.update((system, concept["code"]) for concept in concepts)
        return result or None

    def find(self, owner, name):
        """(element, type name) of a member of JSON; (None, None) when there is none."""
        members = self.elements.get(owner, {})
        if name in members:
            element = members[name]
            return element, type_of(element)
        for choice, element in members.items():
            if choice.endswith("[x]") and name.startswith(choice[:-3]):
                for kind in element["type"]:
                    if name[len(choice) - 3:] == kind["code"][0].upper() + kind["code"][1:]:
                        return element, kind["code"]
        return None, None

    def nodes(self, resource):
        """All nodes below the resource, contained ones too."""
        root = resource["resourceType"]
        yield Node((), root, resource, None, root, ())
        yield from self.below(resource, root, (), root)

    def below(self, parent, owner, keys, path):
        for name, value in parent.items():
            element, kind = self.find(owner, name)
            if not element or name.startswith("_"):
                continue
            listed = isinstance(value, list)
            for i, item in enumerate(value if listed else [value]):
                where = keys + ((name, i) if listed else (name,))
                place = f"{path}.{name}[{i}]" if listed else f"{path}.{name}"
                yield from self.node(item, element, kind, where, place, parent)

    def node(self, item, element, kind, keys, path, beside):
        if kind in ("Resource", "DomainResource") and isinstance(item, dict):
            kind = item.get("resourceType")
        owner = element["path"] if kind in ("BackboneElement", "Element") else kind
        if "contentReference" in element:
            owner = kind = element["contentReference"].split("#")[1]
        yield Node(keys, path, item, element, kind, beside)
        if isinstance(item, dict):
            yield from self.below(item, owner, keys, path)

    def members(self, node):
        """{name: element} of what a node may have."""
        owner = node.element["path"] if node.element and node.type in ("BackboneElement", "Element") else node.type
        return self.elements.get(owner, {})


def type_of(element):
    if "contentReference" in element:
        return element["contentReference"].split("#")[1]
    if element["path"].endswith("[x]"):
        return None
    return SYSTEM_TYPES.get(element["type"][0]["code"], element["type"][0]["code"])


def flat(concepts):
    for concept in concepts:
        yield concept
        yield from flat(concept.get("concept", []))
