//! Checkpoints as people really have them, which were refused once: the same weights wrapped in other ways give the same bytes.

use crate::cli_support::nnue;
use crate::common;

/// The file of a case, unpacked into `folder`.
fn unpack(folder: &std::path::Path, case: &str, name: &str) -> Option<()> {
    let cases = common::golden()?.with_file_name("cases");
    std::fs::write(folder.join(name), common::read_maybe_xz(&cases.join(case).join(name))).unwrap();
    Some(())
}

#[test]
fn the_same_weights_in_other_wrappings_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (case, name) in
        [("crc_not_computed", "nocrc.ckpt"), ("nested_state_dict", "model_state_dict.pt"), ("orig_mod_inside", "submodule.ckpt")]
    {
        if unpack(folder.path(), case, name).is_none() {
            return;
        }
        let args = ["convert", name, "out.nnue", "--ft_compression", "none"];
        nnue(folder.path(), args).ok();
        let sha256 = common::sha256(&std::fs::read(folder.path().join("out.nnue")).unwrap());
        assert!(sha256.starts_with("c0885f2b007f"), "{case}: {sha256}");
    }
}

#[test]
fn torch_script_is_called_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    if unpack(folder.path(), "torchscript_message", "c_torchscript.pt").is_none() {
        return;
    }
    nnue(folder.path(), ["convert", "c_torchscript.pt", "out.nnue"]).fails(1, &["TorchScript", "state_dict()"]);
    assert!(!folder.path().join("out.nnue").exists());
}
