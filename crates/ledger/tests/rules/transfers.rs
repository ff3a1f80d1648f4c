//! Transfers, as tables: both sides or none; [`crate::script`] says how to read them.

use crate::script::check;

#[test]
fn a_transfer_is_two_entries_that_name_each_other() {
    check(
        "
        open VND limit 50                   -> number 1
        @2 open VND limit 0                 -> number 1
        @2 topup 1                          -> number 2
        clock 5s                            ->
        transfer 30 to 2 key t reference r meta a=b reason moved -> posted -30 2.posted 31 target 2/3 2.target 1/2 amount -30 2.amount 30 at 5s 2.at 5s
        transfer 30 to 2 key t reference r meta a=b reason moved -> replay
        transfer 30 to 2 key t reference r meta a=b -> refused key_reused entry 2
        transfer 30 to 3 key t reference r meta a=b reason moved -> refused key_reused entry 2
        transfer 20.01 to 2                 -> refused insufficient_credit available 20 amount 20.01
        transfer 20 to 2                    -> available 0 2.posted 51
        @2 transfer 51 to 1                 -> posted 0 1.posted 1
        # The other side has no key: the recipient's own key of that name is free.
        @2 topup 1 key t                    -> posted 1
        ",
    );
}

#[test]
fn a_transfer_that_cannot_be_changes_neither_side() {
    check(
        "
        transfer 1 to 2                     -> refused unknown_account
        open VND limit 50                   -> number 1
        transfer 1 to 2                     -> refused unknown_account
        transfer 1 to 1                     -> refused same_account
        @2 open USD limit 50                -> number 1
        transfer 1 to 2                     -> refused currency_mismatch
        @3 open VND limit 0                 -> number 1
        @3 status closed                    -> number 2
        transfer 1 to 3                     -> refused recipient_closed
        @4 open VND limit 0                 -> number 1
        @4 topup max                        -> number 2
        transfer 1 to 4                     -> refused amount_out_of_range amount 1
        topup 1                             -> posted 1 number 2 2.number 1 3.number 2 4.number 2
        ",
    );
}

#[test]
fn a_transfer_may_be_refused_for_each_side_and_says_so_for_the_sender_first() {
    check(
        "
        open VND limit 50                   -> number 1
        @2 open VND limit 0                 -> number 1
        @2 status locked                    -> number 2
        transfer 5 to 2                     -> posted -5 2.posted 5 2.status locked
        status locked                       -> number 3
        transfer 5 to 2                     -> refused account_locked
        transfer 500 to 2                   -> refused account_locked
        @2 status active                    -> number 4
        @2 transfer 5 to 1                  -> 1.posted 0 1.status locked
        ",
    );
}

#[test]
fn both_sides_expire_what_is_due_before_their_entries() {
    check(
        "
        open VND limit 50                   -> number 1
        @2 open VND limit 50                -> number 1
        hold 50 for 5                       -> available 0
        @2 hold 50 for 6                    -> available 0
        transfer 1 to 2                     -> refused insufficient_credit available 0 amount 1
        clock 5s                            ->
        transfer 50 to 2                    -> posted -50 held 0 number 4 2.number 3 2.held 50 2.posted 50
        clock 6s                            ->
        @2 transfer 100 to 1                -> posted -50 held 0 number 5 1.posted 50
        ",
    );
}

#[test]
fn each_side_keeps_its_own_time() {
    check(
        "
        clock 5s                            ->
        open VND limit 50                   -> at 5s
        clock 9s                            ->
        @2 open VND limit 50                -> at 9s
        clock 1s                            ->
        transfer 1 to 2                     -> at 5s 2.at 9s
        clock 7s                            ->
        @2 transfer 1 to 1                  -> at 9s 1.at 9s
        ",
    );
}
