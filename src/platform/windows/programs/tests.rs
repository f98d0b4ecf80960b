use std::{io::Read, process::Stdio};

use super::*;

#[test]
fn what_a_program_started_ends_with_it() {
    let mut command = Command::new("cmd");
    command.args(["/c", "cmd /c pause"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let (mut child, tree) = Tree::start(&mut command).unwrap();
    let mut out = child.stdout.take().unwrap();
    // The inner one is there: it asks for a key.
    assert!(out.read(&mut [0; 1]).unwrap() > 0);
    assert!(!tree.is_over(&mut child));
    tree.end();
    // Nobody has the other end of the pipe any more.
    out.read_to_end(&mut Vec::new()).unwrap();
    assert!(!child.wait().unwrap().success() && tree.is_over(&mut child));
}
