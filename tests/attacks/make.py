#!/usr/bin/env python3
"""Makes the hostile files of this folder: one for each known way to attack a loader of PyTorch, zip, safetensors or npz
files. Python's standard library only; the same bytes each time.

usage: make.py [FOLDER]        (default: `files` beside this script)

Each payload, if it were executed, would create the file MARKER. `tests/attacks.rs` says what must happen to every file.
"""

import io
import json
import os
import struct
import sys
import zlib

MARKER = "/tmp/nnue-attack-PWNED"
COMMAND = f"touch {MARKER}"
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
os.makedirs(FOLDER, exist_ok=True)


def save(name, data):
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)


# ---- zip, with knobs to lie


class Entry:
    def __init__(self, name, data, **lies):
        self.name, self.data, self.lies = name, data, lies


def zipped(entries, prefix=b"", gap=b"", comment=b"", end=None, reverse_directory=False):
    out = io.BytesIO()
    out.write(prefix)
    directory = []
    for entry in entries:
        lies = entry.lies
        raw_name = entry.name if isinstance(entry.name, bytes) else entry.name.encode()
        method = lies.get("method", 0)
        if method == 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = packer.compress(entry.data) + packer.flush()
        else:
            packed = entry.data
        crc = lies.get("crc", zlib.crc32(entry.data))
        size = lies.get("size", len(entry.data))
        packed_size = lies.get("packed", len(packed))
        flags = lies.get("flags", 0x800)
        offset = lies.get("offset", out.tell())
        local_name = lies.get("local_name", raw_name)
        if not lies.get("no_local"):
            out.write(struct.pack("<IHHHIIIIHH", 0x04034B50, 20, lies.get("local_flags", flags), lies.get("local_method", method), 0x210000,
                                  lies.get("local_crc", crc), lies.get("local_packed", packed_size), lies.get("local_size", size),
                                  len(local_name), len(lies.get("local_extra", b""))))
            out.write(local_name + lies.get("local_extra", b"") + packed)
            out.write(gap)
        extra = lies.get("extra", b"")
        directory.append(struct.pack("<IHHHHIIIIHHHHHII", 0x02014B50, 20, 20, flags, method, 0x210000, crc, packed_size, size,
                                     len(raw_name), len(extra), 0, 0, 0, 0, offset) + raw_name + extra)
    start = out.tell()
    if reverse_directory:
        directory.reverse()
    out.write(b"".join(directory))
    size = out.tell() - start
    out.write(end(start, size, len(directory)) if end else b"")
    out.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(directory), len(directory), size, start, len(comment)) + comment)
    return out.getvalue()


def archive(pickle, storages=None, root="archive", **options):
    entries = [Entry(f"{root}/data.pkl", pickle)]
    entries += [Entry(f"{root}/data/{key}", data) for key, data in (storages or {}).items()]
    entries.append(Entry(f"{root}/version", b"3\n"))
    return zipped(entries, **options)


# ---- pickle, opcode by opcode


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def integer(value):
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def tup(*members):
    return b"(" + b"".join(members) + b"t"


def call(function, *arguments):
    return function + tup(*arguments) + b"R"


def dictionary(*pairs):
    return b"}(" + b"".join(text(key) + value for key, value in pairs) + b"u"


def program(body, protocol=2):
    return b"\x80" + bytes([protocol]) + body + b"."


def storage(key="0", numel=4, cls=("torch", "FloatStorage"), location="cpu"):
    return tup(text("storage"), name(*cls), text(key), text(location), integer(numel)) + b"Q"


def ints(*values):
    return tup(*map(integer, values))


ORDERED = call(name("collections", "OrderedDict"))


def tensor(store=None, offset=integer(0), size=ints(4), stride=ints(1), rest=b"\x89" + ORDERED, function="_rebuild_tensor_v2"):
    return name("torch._utils", function) + b"(" + (store or storage()) + offset + size + stride + rest + b"tR"


FLOATS = struct.pack("<4f", 1, 2, 3, 4)
GOOD = dictionary(("w", tensor()))
EVIL = call(name("posix", "system"), text(COMMAND))


def checkpoint(*pairs, good=True):
    return dictionary(*([("state_dict", GOOD)] if good else []), *pairs)


def pt(filename, body, protocol=2, **options):
    save(filename, archive(program(body, protocol), {"0": FLOATS}, **options))


pt("control_good.pt", checkpoint())

# Code execution. The first group is inert beside a good network, the second stands where the network should be.
pt("reduce_os_system.pt", checkpoint(("x", EVIL)))
pt("reduce_eval.pt", checkpoint(("x", call(name("__builtin__", "eval"), text(f"__import__('os').system('{COMMAND}')")))))
pt("reduce_runpy.pt", checkpoint(("x", call(name("runpy", "_run_code"), text(f"open('{MARKER}', 'w')"), dictionary()))))
pt("newobj_popen.pt", checkpoint(("x", name("subprocess", "Popen") + tup(tup(text("touch"), text(MARKER))) + b"\x81")))
pt("newobj_ex_popen.pt", checkpoint(("x", name("subprocess", "Popen") + tup(text(COMMAND)) + dictionary(("shell", b"\x88")) + b"\x92")), protocol=4)
pt("stack_global_system.pt", checkpoint(("x", text("posix") + text("system") + b"\x93" + tup(text(COMMAND)) + b"R")), protocol=4)
pt("build_setstate.pt", checkpoint(("x", call(name("types", "SimpleNamespace")) + dictionary(("__setstate__", name("posix", "system"))) + b"b")))
pt("getattr_chain.pt", checkpoint(("x", call(call(name("__builtin__", "getattr"), call(name("importlib", "import_module"), text("os")), text("system")), text(COMMAND)))))
pt("executed_then_popped.pt", EVIL + b"0" + checkpoint())
pt("executed_then_pop_mark.pt", b"(" + EVIL + b"1" + checkpoint())
pt("reduce_in_key.pt", b"}(" + EVIL + integer(1) + text("state_dict") + GOOD + b"u")
pt("nested_torch_load.pt", checkpoint(("x", call(name("torch", "load"), text("other.pt")))))
pt("module_with_reduce.pt", name("evil", "Net") + b")\x81" + dictionary(("_parameters", dictionary(("w", EVIL))), ("_modules", b"}")) + b"b")
pt("entry_is_payload.pt", checkpoint(("state_dict", dictionary(("w", EVIL))), good=False))
pt("entry_is_global.pt", checkpoint(("state_dict", dictionary(("w", name("posix", "system")))), good=False))
pt("root_is_payload.pt", EVIL)
pt("rebuild_from_type_calls.pt", dictionary(("w", call(name("torch._tensor", "_rebuild_from_type_v2"), name("posix", "system"), name("torch", "Tensor"), tup(text(COMMAND)), dictionary()))))
pt("load_state_dict_of_payload.pt", call(name("evil", "Net")) + b"q\0" + call(call(name("builtins", "getattr"), b"h\0", text("load_state_dict")), EVIL) + b"0")
pt("inst_opcode.pt", b"(" + text(COMMAND) + b"iposix\nsystem\n")
pt("obj_opcode.pt", b"(" + name("posix", "system") + text(COMMAND) + b"o")
pt("persid_opcode.pt", b"Pstorage\n")
pt("ext1_registry.pt", b"\x82\x01")
pt("out_of_band_buffer.pt", b"\x97", protocol=5)
save("second_pickle_behind_the_first.pt", archive(program(checkpoint()) + program(EVIL), {"0": FLOATS}))
save("raw_pickle_payload.pt", program(EVIL))

# Exhaustion.
pt("memo_slot_huge.pt", b"Nr\xff\xff\xff\xff")
pt("marks_deep.pt", b"(" * 5000)
pt("tuples_deep.pt", b")" + b"\x85" * 100_000)
pt("lists_deep_through_memo.pt", dictionary(("state_dict", GOOD), ("x", b"]q\0" + b"]q\1h\0h\1a0q\0" * 500)))
laughs = b"]q\0(" + text("lol") * 10 + b"e0"
for level in range(1, 40):
    laughs += b"]q" + bytes([level]) + b"(" + (b"h" + bytes([level - 1])) * 10 + b"e0"
pt("billion_laughs.pt", laughs + dictionary(("state_dict", GOOD), ("x", b"h\x27")))
modules = name("m", "M") + b")\x81q\0" + dictionary(("_parameters", dictionary(("w", tensor()))), ("_modules", b"}")) + b"b0"
for level in range(1, 40):
    inside = dictionary(("_parameters", b"}"), ("_modules", dictionary(*[(str(i), b"h" + bytes([level - 1])) for i in range(10)])))
    modules += name("m", "M") + b")\x81q" + bytes([level]) + inside + b"b0"
pt("billion_modules.pt", modules + b"h\x27")
pt("module_contains_itself.pt", name("m", "M") + b")\x81q\0" + dictionary(("_parameters", b"}"), ("_modules", dictionary(("me", b"h\0")))) + b"b")
pt("dict_contains_itself.pt", b"}q\0(" + text("state_dict") + GOOD + text("me") + b"h\0u")
pt("text_2g.pt", b"X\0\0\0\x80abc")
pt("text_2_to_63.pt", b"\x8d" + struct.pack("<Q", 2**63 - 1), protocol=4)
pt("bytes_2_to_63.pt", b"\x8e" + struct.pack("<Q", 2**63 - 1), protocol=4)
pt("frame_huge.pt", b"\x95" + struct.pack("<Q", 2**63 - 1) + b"N", protocol=4)
pt("long4_negative.pt", b"\x8b\xff\xff\xff\xff")
pt("name_without_end.pt", b"c" + b"a" * 10_000)
pt("long_name_recalled.pt", text("a" * 4000) + b"q\0" + text("b") + b"q\1" + b"0000"[:2] + b"(" + b"h\0h\1\x93" * 50_000 + b"t", protocol=4)
pt("long_key_repeated.pt", text("k" * 40_000) + b"q\0" + tensor() + b"q\x01" + b"00" + dictionary(("state_dict", b"}(" + b"h\0h\1" * 20_000 + b"u")))
paths = text("k" * 40_000) + b"q\0" + tensor() + b"q\x01" + b"00"
for level in range(2, 40):
    paths += b"}q" + bytes([level]) + b"(h\0h" + bytes([level - 1]) + text("b") + b"h" + bytes([level - 1]) + b"u0"
pt("long_paths.pt", paths + dictionary(("state_dict", GOOD), ("x", b"h\x27")))

# Tensors that lie.
one = lambda **what: dictionary(("w", tensor(**what)))
pt("tensor_of_1_tb.pt", one(store=storage(numel=2**38), size=ints(2**38)))
pt("tensor_shape_overflow.pt", one(size=ints(2**40, 2**40), stride=ints(0, 0)))
pt("tensor_expanded_to_4_tb.pt", one(size=ints(2**40), stride=ints(0)))
pt("tensor_expanded_to_1_gb.pt", one(size=ints(2**28), stride=ints(0)))
# Each alone is small enough to be read whole.
pt("tensors_expanded_to_400_mb.pt", dictionary(*((f"w{i}", tensor(size=ints(2**20), stride=ints(0))) for i in range(100))))
pt("tensor_stride_overflow.pt", one(size=ints(2), stride=ints(2**62)))
pt("tensor_offset_past_end.pt", one(offset=integer(1)))
pt("tensor_negative_offset.pt", one(offset=integer(-1)))
pt("tensor_negative_stride.pt", one(stride=ints(-1)))
pt("tensor_65_dimensions.pt", one(size=ints(*[1] * 65), stride=ints(*[1] * 65)))
pt("tensor_size_is_text.pt", one(size=tup(text("4"))))
pt("tensor_size_is_a_call.pt", one(size=EVIL))
pt("tensor_storage_is_a_call.pt", one(store=EVIL))
pt("tensor_is_its_own_storage.pt", b"}(" + text("w") + name("torch._utils", "_rebuild_parameter") + b"]q\0h\0a\x88" + ORDERED + b"\x87Ru")
pt("tensor_v3_wider_type.pt", one(store=storage(numel=16, cls=("torch.storage", "UntypedStorage")), rest=b"\x89" + ORDERED + name("torch", "float64"), function="_rebuild_tensor_v3"))
pt("tensor_v3_unknown_type.pt", one(rest=b"\x89" + ORDERED + name("posix", "system"), function="_rebuild_tensor_v3"))
pt("tensor_unknown_storage_class.pt", one(store=storage(cls=("posix", "system"))))
pt("tensor_two_sizes_of_one_storage.pt", dictionary(("w", tensor()), ("v", tensor(store=storage(numel=2), size=ints(2)))))
pt("tensor_storage_elsewhere.pt", one(store=storage(key="../../../etc/passwd")))
pt("tensor_name_twice.pt", dictionary(("w", tensor()), ("w", tensor(size=ints(2)))))
nested = tensor()
for _ in range(30):
    nested = name("torch._utils", "_rebuild_parameter") + b"(" + nested + b"\x88" + ORDERED + b"tR"
pt("tensor_parameters_nested.pt", dictionary(("w", nested)))
pt("persistent_id_unknown.pt", tup(text("module"), name("posix", "system"), text(""), text("")) + b"Q")

# Zip.
GOOD_PICKLE, BAD_PICKLE = program(checkpoint()), program(EVIL)


def entries(**first):
    return [Entry("archive/data.pkl", GOOD_PICKLE, **first), Entry("archive/data/0", FLOATS), Entry("archive/version", b"3\n")]


save("zip_control_good.pt", zipped(entries()))
save("zip_directory_in_other_order.pt", zipped(entries(), reverse_directory=True))
save("zip_two_of_one_name.pt", zipped([Entry("archive/data.pkl", BAD_PICKLE)] + entries()))
save("zip_local_name_differs.pt", zipped(entries(local_name=b"archive/eval.pkl")))
save("zip_local_flags_differ.pt", zipped(entries(local_flags=0x801)))
save("zip_local_method_differs.pt", zipped(entries(local_method=8)))
save("zip_local_size_differs.pt", zipped(entries(local_size=1)))
save("zip_local_crc_differs.pt", zipped(entries(local_crc=1)))
save("zip_crc_wrong.pt", zipped(entries(crc=1)))
save("zip_encrypted.pt", zipped(entries(flags=0x801)))
save("zip_unknown_method.pt", zipped(entries(method=99)))
save("zip_descriptor_missing.pt", zipped(entries(flags=0x808, local_size=0, local_packed=0, local_crc=0)))
save("zip_deflated.pt", zipped(entries(method=8)))
save("zip_bomb.pt", zipped([Entry("archive/data.pkl", GOOD_PICKLE), Entry("archive/data/0", bytes(64 << 20), method=8)]))
save("zip_hidden_entry_before.pt", zipped(entries(), prefix=zipped([Entry("archive/data.pkl", BAD_PICKLE)])))
save("zip_hidden_bytes_between.pt", zipped(entries(), gap=b"PK\3\4hidden"))
# An entry whose local header and data lie inside the data of another one.
inner = zipped([Entry("archive/data/1", FLOATS)])[: 30 + len("archive/data/1") + len(FLOATS)]
before = len(zipped([Entry("archive/data.pkl", GOOD_PICKLE), Entry("archive/data/0", b"")])) - 22 - 2 * 46 - len("archive/data.pkl") - len("archive/data/0")
save("zip_entries_overlap.pt", zipped([Entry("archive/data.pkl", GOOD_PICKLE), Entry("archive/data/0", inner), Entry("archive/data/1", FLOATS, offset=before, no_local=True)]))
save("zip_entry_under_two_names.pt", zipped(entries() + [Entry("archive/data.pkl2", GOOD_PICKLE, offset=0, no_local=True)]))
save("zip_comment_with_archive.pt", zipped(entries(), comment=zipped([Entry("archive/data.pkl", BAD_PICKLE)])))
save("zip_polyglot_prefix.pt", zipped(entries(), prefix=b"\x7fELF" + bytes(60)))
save("zip_polyglot_pickle_prefix.pt", zipped(entries(), prefix=BAD_PICKLE))
save("zip_trailing_pickle.pt", zipped(entries()) + BAD_PICKLE)
save("zip_cut.pt", zipped(entries())[:-30])
save("zip_absolute_name.pt", zipped(entries() + [Entry("/etc/cron.d/x", b"")]))
save("zip_parent_name.pt", zipped(entries() + [Entry("archive/../../x", b"")]))
save("zip_backslash_name.pt", zipped(entries() + [Entry("archive\\..\\x", b"")]))
save("zip_drive_name.pt", zipped(entries() + [Entry("C:/x", b"")]))
save("zip_nul_name.pt", zipped(entries() + [Entry("archive/data/1\0.txt", b"")]))
save("zip_latin1_name.pt", zipped(entries() + [Entry(b"archive/\xff", b"")]))
save("zip_two_roots.pt", zipped(entries() + [Entry("other/data.pkl", BAD_PICKLE)]))
save("zip_no_pickle.pt", zipped([Entry("archive/version", b"3\n")]))
save("zip_empty.pt", zipped([]))
save("zip_torchscript.pt", zipped(entries() + [Entry("archive/code/__torch__.py", b"def f(): pass"), Entry("archive/constants.pkl", program(b")"))]))
save("zip_byteorder_unknown.pt", zipped(entries() + [Entry("archive/byteorder", b"middle")]))
save("zip_version_unknown.pt", zipped([Entry("archive/data.pkl", GOOD_PICKLE), Entry("archive/version", b"11\n")]))
save("zip64_size_lies.pt", zipped(entries(size=0xFFFFFFFF, packed=0xFFFFFFFF, extra=struct.pack("<HHQQ", 1, 16, 2**40, 2**40))))
save("zip64_field_missing.pt", zipped(entries(size=0xFFFFFFFF)))
save("zip64_end_record_elsewhere.pt", zipped(entries(), end=lambda start, size, count: struct.pack("<IIQI", 0x07064B50, 0, 0, 1)))
wide = lambda count, size, start: struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, start)
locator = lambda at: struct.pack("<IIQI", 0x07064B50, 0, at, 1)
save("zip64_end_records_disagree.pt", zipped(entries(), end=lambda start, size, count: wide(count, size, 0) + locator(start + size)))
save("zip64_endless_entries.pt", zipped(entries(), end=lambda start, size, count: wide(2**63, size, start) + locator(start + size)))
header = bytearray(512)
header[0:10], header[257:262] = b"pickle.pkl", b"ustar"
save("tar.pt", bytes(header))

# Legacy container.
MAGIC = program(b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"))


def legacy(body, keys=("0",), data=struct.pack("<Q", 4) + FLOATS, version=1001):
    listed = program(b"](" + b"".join(map(text, keys)) + b"e")
    return MAGIC + program(b"M" + struct.pack("<H", version)) + program(b"}") + program(body) + listed + data


OLD = lambda key="0", numel=4, part=b"N": tup(text("storage"), name("torch", "FloatStorage"), text(key), text("cpu"), integer(numel), part) + b"Q"
old = lambda **what: dictionary(("w", tensor(store=OLD(**what))))
save("legacy_control_good.pt", legacy(old()))
save("legacy_system.pt", legacy(dictionary(("state_dict", old()), ("x", EVIL))))
save("legacy_module_id_payload.pt", legacy(dictionary(("state_dict", old()), ("x", tup(text("module"), name("posix", "system"), text("/etc/passwd"), text("import os")) + b"Q" + tup(text(COMMAND)) + b"R"))))
save("legacy_payload_in_keys.pt", MAGIC + program(b"M\xe9\x03") + program(b"}") + program(old()) + program(EVIL))
save("legacy_payload_in_magic.pt", BAD_PICKLE + MAGIC)
save("legacy_version_unknown.pt", legacy(old(), version=1002))
save("legacy_numel_lies.pt", legacy(old(numel=2**60)))
save("legacy_count_lies.pt", legacy(old(), data=struct.pack("<Q", 2**60) + FLOATS))
save("legacy_key_twice.pt", legacy(old(), keys=("0", "0"), data=(struct.pack("<Q", 4) + FLOATS) * 2))
save("legacy_key_unused.pt", legacy(old(), keys=("0", "1"), data=(struct.pack("<Q", 4) + FLOATS) * 2))
save("legacy_key_missing.pt", legacy(old(), keys=(), data=b""))
save("legacy_part_outside.pt", legacy(old(part=tup(text("v"), integer(3), integer(2)))))
save("legacy_trailing_bytes.pt", legacy(old()) + b"\0")
save("legacy_cut.pt", legacy(old())[:-1])


# safetensors and npz.
def safe(filename, text, data=b""):
    raw = text.encode()
    save(filename, struct.pack("<Q", len(raw)) + raw + data)


info = lambda start, end, shape="[1]", dtype="F32": json.dumps({"dtype": dtype, "shape": json.loads(shape), "data_offsets": [start, end]})
safe("control_good.safetensors", '{"a":%s}' % info(0, 4), bytes(4))
safe("overlap.safetensors", '{"a":%s,"b":%s}' % (info(0, 4), info(0, 4)), bytes(4))
safe("hole.safetensors", '{"a":%s}' % info(4, 8), bytes(8))
safe("trailing.safetensors", '{"a":%s}' % info(0, 4), bytes(5))
safe("past_end.safetensors", '{"a":%s}' % info(0, 2**40, "[274877906944]"), bytes(4))
safe("backwards.safetensors", '{"a":%s}' % info(4, 0), bytes(4))
safe("shape_overflow.safetensors", '{"a":%s}' % info(0, 4, "[4294967296, 4294967296, 4294967296]"), bytes(4))
safe("key_twice.safetensors", '{"a":%s,"a":%s}' % (info(0, 4), info(0, 4)), bytes(4))
safe("nested_deep.safetensors", '{"a":' + "[" * 100_000)
save("header_of_16_eib.safetensors", b"\xff" * 8 + b"{}")


def npy(descr, shape, data):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + data


save("control_good.npz", zipped([Entry("a.npy", npy("<f4", "(4,)", FLOATS)), Entry("b.npy", npy("<f4", "(4,)", FLOATS), method=8)]))
save("pickled_objects.npz", zipped([Entry("a.npy", npy("|O", "(1,)", BAD_PICKLE))]))
save("shape_lies.npz", zipped([Entry("a.npy", npy("<f4", "(1099511627776,)", FLOATS))]))
save("bomb.npz", zipped([Entry("a.npy", npy("|u1", f"({64 << 20},)", bytes(64 << 20)), method=8)]))
# Each alone is small enough; together they are not.
save("bombs.npz", zipped([Entry(f"{i}.npy", npy("|u1", f"({24 << 20},)", bytes(24 << 20)), method=8) for i in range(3)]))
save("inflated_size_lies.npz", zipped([Entry("a.npy", npy("<f4", "(4,)", FLOATS), method=8, size=2**32 - 2)]))
save("inflates_further.npz", zipped([Entry("a.npy", npy("<f4", "(400,)", bytes(1600)), method=8, size=144)]))
save("member_no_npy.npz", zipped([Entry("a.pkl", BAD_PICKLE)]))
