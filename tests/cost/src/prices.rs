//! List prices of us-east-1 as the services' pricing pages had them in November 2026, without free tiers,
//! in dollars times 10^12: integers are exact. Check them there before you rely on a figure.

/// A picodollar amount.
pub type Pico = u128;

const DOLLAR: Pico = 1_000_000_000_000;
const MILLION: Pico = 1_000_000;

/// aws.amazon.com/lambda/pricing: arm64, a GB-second, first tier; starts are billed alike.
pub const LAMBDA_GB_SECOND: Pico = 13_333_400;
/// aws.amazon.com/lambda/pricing: an invocation.
pub const LAMBDA_REQUEST: Pico = DOLLAR / 5 / MILLION;
/// aws.amazon.com/step-functions/pricing: Express, a run.
pub const EXPRESS_RUN: Pico = DOLLAR / MILLION;
/// aws.amazon.com/step-functions/pricing: Express, a GB-second, first tier.
pub const EXPRESS_GB_SECOND: Pico = 16_670_000;
/// The memory of an Express run is billed in chunks of so many MB; a payload of ours stays in the first.
pub const EXPRESS_MB: Pico = 64;
/// aws.amazon.com/step-functions/pricing: Standard, a transition.
pub const STANDARD_TRANSITION: Pico = DOLLAR / 40 / 1_000;
/// aws.amazon.com/dynamodb/pricing/on-demand: a strongly consistent read of 4 KB.
pub const READ: Pico = DOLLAR / 8 / MILLION;
/// aws.amazon.com/dynamodb/pricing/on-demand: a write of 1 KB.
pub const WRITE: Pico = DOLLAR * 5 / 8 / MILLION;
/// aws.amazon.com/secrets-manager/pricing: a secret, a month.
pub const SECRET: Pico = DOLLAR * 2 / 5;
/// aws.amazon.com/secrets-manager/pricing: a call.
pub const SECRET_CALL: Pico = DOLLAR / 20 / 10_000;
/// aws.amazon.com/cloudwatch/pricing: a byte of logs taken in.
pub const LOG_BYTE: Pico = DOLLAR / 2 / 1_000_000_000;
/// aws.amazon.com/eventbridge/pricing: an invocation by the scheduler.
pub const SCHEDULE: Pico = DOLLAR / MILLION;
/// aws.amazon.com/fargate/pricing: arm64, a vCPU, an hour.
pub const FARGATE_VCPU_HOUR: Pico = DOLLAR * 3_238 / 100_000;
/// aws.amazon.com/fargate/pricing: arm64, a GB, an hour.
pub const FARGATE_GB_HOUR: Pico = DOLLAR * 356 / 100_000;
/// aws.amazon.com/vpc/pricing: a public IPv4 address, an hour. A task without one needs a NAT gateway, which costs more.
pub const ADDRESS_HOUR: Pico = DOLLAR / 200;

/// The hours of a month, as AWS's own calculator has them.
pub const HOURS: u64 = 730;

/// A month of the smallest Fargate task: 0.25 vCPU, 0.5 GB, a public address.
pub const FARGATE_TASK: Pico =
    HOURS as Pico * (FARGATE_VCPU_HOUR / 4 + FARGATE_GB_HOUR / 2 + ADDRESS_HOUR);

/// Lambda gives one whole processor for so many MB.
pub const MB_A_PROCESSOR: u64 = 1_769;

/// Cents, rounded.
#[must_use]
pub fn dollars(amount: Pico) -> String {
    let cents = (amount + DOLLAR / 200) / (DOLLAR / 100);
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_as_published() {
        for (amount, published) in [
            (LAMBDA_GB_SECOND * MILLION, "13.33"),
            (LAMBDA_REQUEST * MILLION, "0.20"),
            (EXPRESS_GB_SECOND * MILLION, "16.67"),
            (STANDARD_TRANSITION * 1_000, "0.03"),
            (READ * MILLION, "0.13"),
            (WRITE * MILLION * 8, "5.00"),
            (SECRET_CALL * 10_000, "0.05"),
            (LOG_BYTE * 1_000_000_000, "0.50"),
            (FARGATE_TASK, "10.86"),
        ] {
            assert_eq!(dollars(amount), published);
        }
    }
}
