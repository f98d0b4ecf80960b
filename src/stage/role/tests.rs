use super::*;

#[test]
fn names_read_back() {
    for role in [
        Role::Source,
        Role::Network,
        Role::Part(1),
        Role::Other(1),
        Role::Data(0),
        Role::Data(17),
        Role::Matrix,
        Role::Permutation,
        Role::Floats,
        Role::Published,
        Role::Proof,
        Role::Engine,
        Role::Program,
    ] {
        assert_eq!(Role::named(&role.to_string()), Some(role));
    }
    assert_eq!(Role::named("data"), None);
    assert_eq!(Role::named("data.x"), None);
}
