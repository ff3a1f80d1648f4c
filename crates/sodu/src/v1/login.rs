//! Who calls, and whether their role reaches as far as the route.
//!
//! Callers that whoever let the request in vouches for (the kernel, on the Unix socket) may do everything; all others show an
//! operator's token with each request, so that a revoked one stops with the next. Which role a route needs stands in the
//! table of routes.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use store::{Role, Store};

use super::problem::{Problem, Slug};
use super::{Caller, refused};

/// Lets no request in whose caller nobody knows, whatever its route.
pub(super) async fn known_caller(store: &Store, request: &mut Request) -> Result<(), Problem> {
    let role = if request.extensions().get::<Caller>().is_some() {
        Role::Admin
    } else {
        let Some(token) = token(request.headers()).map(str::to_owned) else { return Err(stranger()) };
        let login = store.login(&token).await.map_err(refused::of_fault)?;
        let Some(login) = login else { return Err(stranger()) };
        request.extensions_mut().insert(Caller(login.actor));
        login.role
    };
    request.extensions_mut().insert(role);
    Ok(())
}

/// Lets no caller further whose role is less than what the route needs.
pub(super) async fn reaches(State(needed): State<Role>, request: Request, next: Next) -> Response {
    let Some(role) = request.extensions().get::<Role>() else { return stranger().into_response() };
    match check(*role, needed) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Whether `role` includes `needed`.
pub(super) fn check(role: Role, needed: Role) -> Result<(), Problem> {
    if role >= needed { Ok(()) } else { Err(forbidden(role, needed)) }
}

/// The token of an `Authorization: Bearer TOKEN` header (RFC 6750, section 2.1), which stands there once.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn stranger() -> Problem {
    Problem::new(
        Slug::Unauthorized,
        "Send the header \"Authorization: Bearer TOKEN\" with the token of an operator who was not revoked; on the \
         server's own machine, `sodu operator add` makes one.",
    )
}

fn forbidden(role: Role, needed: Role) -> Problem {
    let (role, needed) = (role.name(), needed.name());
    let detail = format!("This needs the role {needed} and yours is {role}; ask an operator who has it.");
    Problem::new(Slug::Forbidden, detail).with("needs", needed).with("role", role)
}
