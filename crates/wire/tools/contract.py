"""Makes and checks crates/wire/contract.fds and contract.txt: the Milvus contract as names, numbers and types.

    contract.py make PROTO_DIR [OUT_DIR]   unite the descriptors of the installed pymilvus (PyPI) with the definitions
                                           in PROTO_DIR (folder `milvus-proto/proto` of the crate milvus-sdk-rust;
                                           needs grpcio-tools) and write both files. Made with pymilvus 3.0.2 and
                                           milvus-sdk-rust 3.0.3.
    contract.py check [CONTRACT_TXT]       every entry of the installed pymilvus, whatever its version, must be in
                                           contract.txt with the same number and type; prints what is not, exit 1.

Nothing but facts gets into the files: comments, file options and source positions are left out. A name that means
two things in two sources stops the run. The one message option kept is Milvus's privilege extension.
"""

import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb

HERE = Path(__file__).resolve().parent.parent
# Messages that moved to another package since pymilvus 2.0; names of packages do not travel.
MOVED = {"milvus.proto.milvus.Placeholder": "milvus.proto.common.Placeholder"}
KINDS = pb.FieldDescriptorProto.Type
LABELS = pb.FieldDescriptorProto.Label


def installed():
    """The files behind the installed pymilvus, dependencies first."""
    try:
        import pymilvus.grpc_gen.milvus_pb2 as root
    except ImportError:
        from pymilvus.grpc_gen import milvus_pb2 as root
    seen, files = set(), []

    def visit(file):
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            visit(dependency)
        files.append(pb.FileDescriptorProto.FromString(file.serialized_pb))

    visit(root.DESCRIPTOR)
    return files


def compiled(folder):
    """The files behind `milvus.proto` in `folder`, dependencies first."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as out:
        target = f"{out}/set.fds"
        include = Path(protoc.__file__).parent / "_proto"
        args = ["protoc", f"-I{folder}", f"-I{include}", "--include_imports", f"--descriptor_set_out={target}"]
        if protoc.main([*args, "milvus.proto"]) != 0:
            sys.exit(f"cannot compile {folder}/milvus.proto")
        return list(pb.FileDescriptorSet.FromString(Path(target).read_bytes()).file)


def health():
    """The gRPC health protocol, version 1."""
    file = pb.FileDescriptorProto(name="health.proto", package="grpc.health.v1", syntax="proto3")
    ask = file.message_type.add(name="HealthCheckRequest")
    ask.field.add(name="service", number=1, type=KINDS.TYPE_STRING, label=LABELS.LABEL_OPTIONAL)
    reply = file.message_type.add(name="HealthCheckResponse")
    states = reply.enum_type.add(name="ServingStatus")
    for number, name in enumerate(["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]):
        states.value.add(name=name, number=number)
    kind = ".grpc.health.v1.HealthCheckResponse.ServingStatus"
    reply.field.add(name="status", number=1, type=KINDS.TYPE_ENUM, label=LABELS.LABEL_OPTIONAL, type_name=kind)
    service = file.service.add(name="Health")
    for name, streams in [("Check", False), ("Watch", True)]:
        service.method.add(
            name=name,
            input_type=".grpc.health.v1.HealthCheckRequest",
            output_type=".grpc.health.v1.HealthCheckResponse",
            server_streaming=streams,
        )
    return file


def listing(files):
    """Every entry as {name: meaning}; google's own files are not the contract."""
    entries = {}

    def field(prefix, f):
        kind = KINDS.Name(f.type)[5:].lower()
        label = LABELS.Name(f.label)[6:].lower()
        entries[f"{prefix}.{f.name}"] = f"{f.number} {label} {kind} {f.type_name}".strip()

    def enum(prefix, e):
        for value in e.value:
            entries[f"{prefix}.{e.name}.{value.name}"] = f"= {value.number}"

    def message(prefix, m):
        name = f"{prefix}.{m.name}"
        entries[name] = "message"
        for f in m.field:
            field(name, f)
        for nested in m.nested_type:
            message(name, nested)
        for e in m.enum_type:
            enum(name, e)

    for file in files:
        if file.name.startswith("google/"):
            continue
        for m in file.message_type:
            message(file.package, m)
        for e in file.enum_type:
            enum(file.package, e)
        for f in file.extension:
            field(f"{file.package}[{f.extendee}]", f)
        for s in file.service:
            for r in s.method:
                ask = "stream " * r.client_streaming + r.input_type
                reply = "stream " * r.server_streaming + r.output_type
                entries[f"{file.package}.{s.name}/{r.name}"] = f"({ask}) -> {reply}"
    return entries


def unite(base, more):
    """Adds to `base` what only `more` has, at every level."""
    for part in ("message_type", "nested_type", "enum_type", "service", "field", "value", "method"):
        if not hasattr(base, part):
            continue
        ours = {item.name: item for item in getattr(base, part)}
        for item in getattr(more, part):
            if item.name in ours:
                unite(ours[item.name], item)
            else:
                getattr(base, part).add().CopyFrom(item)


def strip(file):
    """Leaves names, numbers and types."""
    file.ClearField("source_code_info")
    file.ClearField("options")


def make(folder, out):
    wheel, crate = installed(), compiled(folder)
    ours, theirs = listing(wheel), listing(crate)
    clash = {k: (ours[k], theirs[k]) for k in ours.keys() & theirs.keys() if ours[k] != theirs[k]}
    if clash:
        sys.exit(f"two meanings: {clash}")
    by_name = {file.name: file for file in crate}
    for file in wheel:
        if file.name in by_name:
            unite(by_name[file.name], file)
        else:
            crate.insert(0, file)
    crate.append(health())
    for file in crate:
        strip(file)
    entries = listing(crate)
    lost = [k for k in {**ours, **theirs} if k not in entries]
    if lost:
        sys.exit(f"lost on the way: {lost}")
    blob = pb.FileDescriptorSet(file=crate).SerializeToString(deterministic=True)
    (out / "contract.fds").write_bytes(blob)
    lines = sorted(f"{name} {meaning}\n" for name, meaning in entries.items())
    (out / "contract.txt").write_text("".join(lines))
    print(f"{len(entries)} entries, {len(blob)} bytes; pymilvus {len(ours)}, milvus-sdk-rust {len(theirs)}")


def check(path):
    known = dict(line.split(" ", 1) for line in path.read_text().splitlines())
    theirs = {}
    for name, meaning in listing(installed()).items():
        for old, new in MOVED.items():
            name, meaning = name.replace(old, new), meaning.replace(old, new)
        theirs[name] = meaning
    wrong = {k: (v, known.get(k, "absent")) for k, v in sorted(theirs.items()) if known.get(k) != v}
    for name, (want, have) in wrong.items():
        print(f"{name}: pymilvus says {want}, contract.txt says {have}")
    print(f"{len(theirs)} entries looked at, {len(wrong)} differ")
    return bool(wrong)


if __name__ == "__main__":
    verb, rest = (sys.argv[1] if len(sys.argv) > 1 else ""), [Path(arg) for arg in sys.argv[2:]]
    if verb == "make" and rest:
        make(rest[0], rest[1] if len(rest) > 1 else HERE)
    elif verb == "check":
        sys.exit(check(rest[0] if rest else HERE / "contract.txt"))
    else:
        sys.exit(__doc__)
