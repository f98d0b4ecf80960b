use super::*;
use crate::net::random_network;

#[test]
fn a_permutation_is_found_again() {
    let a = random_network("small", 32, 5);
    let mut b = a.clone();
    let order: Vec<u32> = (0..16).map(|j| (j * 5 + 3) % 16).collect();
    b.permute(&order);
    assert!(!tensor_differences(&a, &b).is_empty());
    let found = matching_permutation(&a, &b).unwrap();
    assert_eq!(found.as_slice(), order);
    b.ft_bias[3] += 1;
    assert!(matching_permutation(&a, &b).is_none());
}

#[test]
fn differences_are_counted_without_padding() {
    let a = random_network("small", 32, 5);
    let mut b = a.clone();
    b.stacks[7].layers[1].weights[31] = 5;
    assert!(tensor_differences(&a, &b).is_empty());
    b.stacks[7].layers[1].weights[3] = a.stacks[7].layers[1].weights[3].wrapping_add(2);
    b.ft_bias[0] -= 300;
    let found = tensor_differences(&a, &b);
    assert_eq!(found.iter().map(|tensor| tensor.name.as_str()).collect::<Vec<_>>(), ["ft.bias", "stack7.l2.weight"]);
    assert_eq!((found[0].values, found[0].differing, found[0].max_abs.as_u64()), (32, 1, Some(300)));
    // Listed by what they change most; of equal changes the denser first.
    b.stacks[1].layers[2].bias[0] += 300;
    b.stacks[5].layers[0].bias[0] += 9000;
    let ranked = ranked(tensor_differences(&a, &b));
    let names: Vec<&str> = ranked.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["stack5.l1.bias", "stack1.output.bias", "ft.bias", "stack7.l2.weight"]);
}
