use super::*;

#[test]
fn layers_of_all_blocks_are_of_one_kind() {
    assert_eq!(kind_of("encoder.12.mha.q_w"), "encoder.*.mha.q_w");
    assert_eq!(kind_of("policy_heads.soft.pol_encoder.0.ln1_betas"), "policy_heads.soft.pol_encoder.*.ln1_betas");
    assert_eq!(kind_of("ip2_val_w"), "ip2_val_w");
}
