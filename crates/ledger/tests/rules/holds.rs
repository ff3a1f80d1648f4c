//! Holds, what becomes of them, and refunds, as tables; [`crate::script`] says how to read them.

use crate::script::check;

#[test]
fn a_hold_promises_what_is_available_and_is_spent_in_parts() {
    check(
        "
        open VND limit 50                   -> available 50
        topup 100                           -> posted 100
        hold 150.01 for 60                  -> refused insufficient_credit available 150 amount 150.01
        hold 120 for 60                     -> posted 100 held 120 available 30 number 3 left:3 120 end:3 60s kind hold
        charge 30.01                        -> refused insufficient_credit available 30 amount 30.01
        hold 30 for 1                       -> held 150 available 0 number 4
        hold 0.01 for 1                     -> refused insufficient_credit available 0 amount 0.01
        capture 3 amount 50                 -> posted 50 held 100 available 0 left:3 70 amount 50 target 1/3
        capture 3 amount 70.01              -> refused capture_exceeds_hold left 70 amount 70.01
        capture 3 amount 20 final yes       -> posted 30 held 30 available 50 left:3 none amount 20
        capture 3 amount 0.01               -> refused hold_not_open hold 3 ended_by capture ended_at 0
        capture 4                           -> posted 0 held 0 available 50 left:4 none amount 30
        void 4                              -> refused hold_not_open hold 4 ended_by capture ended_at 0
        ",
    );
}

#[test]
fn a_capture_of_all_that_is_left_ends_the_hold_whether_it_says_so_or_not() {
    check(
        "
        open VND limit 100                  -> available 100
        hold 30 for 60                      -> number 2
        capture 2 amount 30                 -> posted -30 held 0 left:2 none available 70
        capture 2                           -> refused hold_not_open hold 2 ended_by capture ended_at 0
        hold 30 for 60                      -> number 4
        capture 4 amount 10 final no        -> posted -40 held 20 left:4 20
        capture 4 final no                  -> posted -60 held 0 left:4 none amount 20 available 40
        ",
    );
}

#[test]
fn a_void_releases_what_is_left() {
    check(
        "
        open VND limit 100                  -> available 100
        hold 60 for 60                      -> held 60 available 40
        capture 2 amount 15                 -> posted -15 held 45 available 40
        void 2                              -> posted -15 held 0 available 85 amount 45 target 1/2 kind void
        clock 7s                            ->
        void 2                              -> refused hold_not_open hold 2 ended_by void ended_at 0
        extend 2 for 60                     -> refused hold_not_open hold 2 ended_by void ended_at 0
        ",
    );
}

#[test]
fn a_hold_ends_at_its_instant_and_its_entry_stands_before_the_next() {
    check(
        "
        open VND limit 100                  -> available 100
        clock 10s                           ->
        hold 60 for 5                       -> end:2 15s available 40
        clock 14999999                      ->
        charge 40.01                        -> refused insufficient_credit available 40 amount 40.01
        capture 2 amount 10                 -> left:2 50 number 3
        clock 15s                           ->
        capture 2 amount 10                 -> refused hold_not_open hold 2 ended_by expire ended_at 15s
        expire                              -> ended 0 held 0 available 90 number 4 at 15s recorded 15s kind expire amount 50
        hold 20 for 5                       -> number 5 end:5 20s
        hold 30 for 4                       -> number 6 end:6 19s
        hold 5 for 5                        -> number 7 held 55
        clock 60s                           ->
        charge 90                           -> posted -100 held 0 available 0 number 11 at 60s
        extend 5 for 9                      -> refused hold_not_open hold 5 ended_by expire ended_at 20s
        void 6                              -> refused hold_not_open hold 6 ended_by expire ended_at 19s
        ",
    );
}

#[test]
fn expire_entries_stand_in_the_order_of_their_ends_and_then_of_their_numbers() {
    check(
        "
        open VND limit 100                  -> number 1
        hold 1 for 9                        -> number 2
        hold 2 for 8                        -> number 3
        hold 3 for 8                        -> number 4
        clock 8s                            ->
        expire                              -> ended 2 number 6 target 1/4 at 8s recorded 8s held 1
        clock 30s                           ->
        expire                              -> ended 1 number 7 target 1/2 at 9s recorded 30s held 0
        expire                              -> ended 0 number 7
        topup 1                             -> number 8 at 30s
        ",
    );
}

#[test]
fn an_extension_never_shortens() {
    check(
        "
        open VND limit 100                  -> number 1
        hold 10 for 100                     -> end:2 100s
        clock 50s                           ->
        extend 2 for 49                     -> end:2 100s number 3 amount 0 held 10 kind extend target 1/2
        extend 2 for 51                     -> end:2 101s
        extend key:none for 51              -> refused unknown_hold
        extend 1 for 51                     -> refused unknown_hold
        clock 100500000                     ->
        extend 2 for 1                      -> end:2 101500000
        capture 2 amount 4                  -> left:2 6 end:2 101500000
        clock 101500000                     ->
        extend 2 for 1                      -> refused hold_not_open hold 2 ended_by expire ended_at 101500000
        ",
    );
}

#[test]
fn a_refund_gives_back_at_most_what_was_spent() {
    check(
        "
        open VND limit 100                  -> number 1
        charge 40 key c                     -> number 2 posted -40
        hold 50 for 60 key h                -> number 3
        capture 3 amount 20 key p           -> number 4 posted -60
        refund 40.01 of 2                   -> refused refund_exceeds_charge refundable 40 amount 40.01
        refund 15 of 2                      -> posted -45 amount 15 target 1/2 kind refund
        refund 25 of key:c                  -> posted -20 target 1/2
        refund 0.01 of 2                    -> refused refund_exceeds_charge refundable 0 amount 0.01
        refund 20 of key:p                  -> posted 0 target 1/4
        refund 0.01 of 4                    -> refused refund_exceeds_charge refundable 0 amount 0.01
        refund 1 of 3                       -> refused unknown_charge
        refund 1 of key:h                   -> refused unknown_charge
        refund 1 of 5                       -> refused unknown_charge
        refund 1 of 1                       -> refused unknown_charge
        refund 1 of 99                      -> refused unknown_charge
        refund 1 of 0                       -> refused unknown_charge
        refund 1 of key:nothing             -> refused unknown_charge
        capture 2                           -> refused unknown_hold
        void key:c                          -> refused unknown_hold
        ",
    );
}

#[test]
fn a_locked_account_settles_what_was_promised_and_promises_no_more() {
    check(
        "
        open VND limit 100                  -> number 1
        @2 open VND limit 100               -> number 1
        charge 10                           -> number 2
        hold 20 for 60                      -> number 3
        hold 20 for 60                      -> number 4
        hold 20 for 5                       -> number 5
        status locked                       -> available 30 number 6
        hold 1 for 5                        -> refused account_locked
        hold 99999 for 5                    -> refused account_locked
        transfer 1 to 2                     -> refused account_locked
        charge 1                            -> refused account_locked
        capture 3 amount 5                  -> posted -15 held 55
        capture 3 final yes                 -> posted -30 held 40
        extend 4 for 90                     -> end:4 90s
        void 4                              -> held 20
        refund 10 of 2                      -> posted -20
        @2 transfer 7 to 1                  -> 1.posted -13 1.status locked posted -7
        clock 5s                            ->
        topup 1                             -> posted -12 held 0
        adjust -1                           -> posted -13
        limit 50                            -> available 37
        status closed                       -> refused account_not_empty posted -13 held 0
        ",
    );
}

#[test]
fn a_closed_account_takes_no_movement_at_all() {
    check(
        "
        open VND limit 100                  -> number 1
        @2 open VND limit 100               -> number 1
        hold 20 for 60 key h                -> number 2
        status closed                       -> refused account_not_empty posted 0 held 20
        capture 2 amount 5 key p            -> number 3
        status closed                       -> refused account_not_empty posted -5 held 15
        refund 5 of 3                       -> posted 0
        status closed                       -> refused account_not_empty posted 0 held 15
        clock 60s                           ->
        status closed                       -> status closed number 6 held 0
        hold 1 for 5                        -> refused account_closed
        capture 2                           -> refused account_closed
        extend 2 for 5                      -> refused account_closed
        void 2                              -> refused account_closed
        refund 1 of 3                       -> refused account_closed
        transfer 1 to 2                     -> refused account_closed
        @2 transfer 1 to 1                  -> refused recipient_closed
        topup 1                             -> refused account_closed
        hold 20 for 60 key h                -> replay
        ",
    );
}

#[test]
fn a_key_knows_a_hold_by_number_and_by_key() {
    check(
        "
        open VND limit 100                  -> number 1
        capture key:h key c                 -> refused unknown_hold
        hold 50 for 60 key h                -> number 2
        hold 50 for 60 key h                -> replay
        hold 50 for 61 key h                -> refused key_reused entry 2
        hold 51 for 60 key h                -> refused key_reused entry 2
        charge 50 key h                     -> refused key_reused entry 2
        # What was refused for want of a hold stays refused, though the hold is there by now.
        capture key:h key c                 -> replay
        capture key:h amount 5 key c        -> refused key_reused entry none
        capture 2 amount 5 key p            -> number 3
        capture key:h amount 5 key p        -> replay
        capture key:h amount 5 final yes key p -> refused key_reused entry 3
        capture key:h amount 6 key p        -> refused key_reused entry 3
        capture key:h key p                 -> refused key_reused entry 3
        extend key:h for 90 key x           -> number 4
        extend 2 for 90 key x               -> replay
        extend 2 for 91 key x               -> refused key_reused entry 4
        capture 2 key r                     -> number 5
        capture key:h final yes key r       -> replay
        capture 2 final no key r            -> replay
        void 2 key v                        -> refused hold_not_open hold 2 ended_by capture ended_at 0
        void key:h key v                    -> replay
        refund 5 of key:p key b             -> number 6
        refund 5 of 3 key b                 -> replay
        refund 5 of 5 key b                 -> refused key_reused entry 6
        ",
    );
}

#[test]
fn captures_and_voids_of_an_overdrawn_account_are_not_refused() {
    check(
        "
        open VND limit 100                  -> number 1
        hold 60 for 60                      -> number 2
        hold 40 for 60                      -> number 3
        adjust -50                          -> available -50
        limit 0                             -> available -150
        hold 1 for 1                        -> refused insufficient_credit available -150 amount 1
        capture 2 amount 10                 -> posted -60 held 90 available -150
        capture 2 amount 10 final yes       -> posted -70 held 40 available -110
        void 3                              -> posted -70 held 0 available -70
        ",
    );
}

#[test]
fn what_is_held_back_at_the_bounds_can_be_captured_voided_and_given_back_or_is_refused() {
    check(
        "
        open VND limit max                  -> available max
        hold max for 60                     -> held max available 0
        adjust -0.01                        -> refused amount_out_of_range amount -0.01
        topup 0.01                          -> refused amount_out_of_range amount 0.01
        capture 2 amount max                -> posted -max held 0 available 0
        limit 0                             -> available -max
        refund max of 3                     -> posted 0 available 0
        topup max                           -> posted max available max
        charge 1                            -> posted 23058430092136938.51
        topup 0.5                           -> available 23058430092136939.01
        refund 1 of 7                       -> refused amount_out_of_range amount 1
        refund 0.5 of 7                     -> available max
        ",
    );
}
