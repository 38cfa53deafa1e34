//! Messages about a fine-tuning run: its plan, and its results on the dev set.

use albert::error::{count, listed};
use albert::eval::EvalReport;
use albert::training::finetune::FineTunePlan;

use super::report::Reporter;

/// Describes the run before the first step.
pub(super) fn announce(plan: &FineTunePlan, reporter: &Reporter) {
    let config = &plan.config;
    reporter.note(&format!(
        "model: {}, hidden {}, layers {}; dropout: hidden {}, attention {}, classifier {}",
        plan.model,
        config.hidden_size,
        config.num_hidden_layers,
        config.hidden_dropout_prob,
        config.attention_probs_dropout_prob,
        config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob),
    ));
    if !config.labels.is_empty() {
        reporter.note(&format!("{}: {}", count(config.labels.len(), "label"), shortened(&config.labels)));
    }
    let rows = &plan.rows;
    reporter.note(&format!(
        "{}, {} of {} (median; 95 % have at most {}, the longest {})",
        count(plan.examples, "example"),
        count(rows.rows, "row"),
        count(rows.percentile(50), "token"),
        rows.percentile(95),
        rows.percentile(100),
    ));
    if rows.truncated > 0 {
        reporter.warn(&format!(
            "cut {} to {} (--max-length)",
            count(rows.truncated, "row"),
            count(rows.percentile(100), "token")
        ));
    }
    reporter.note(&format!(
        "{} of {}, {:.1} passes; {:?}, rate {:.1e}, {} of warm-up; {} at a time on {}",
        count(plan.schedule.total_steps, "step"),
        count(plan.batch_size, "example"),
        plan.epochs,
        plan.optimizer.kind,
        plan.schedule.peak,
        count(plan.schedule.warmup_steps, "step"),
        plan.micro_batch.min(plan.batch_size),
        plan.devices.join(" and on "),
    ));
    if !plan.evaluates {
        reporter.warn("without --dev or --dev-fraction the model is not evaluated; keeping the last step");
    }
}

/// Reports the metrics of the best model, with warnings.
pub(super) fn report_dev_metrics(report: &EvalReport, plan: &FineTunePlan, reporter: &Reporter) {
    let metrics: Vec<String> =
        report.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    reporter.note(&format!("dev, {}: {}", count(report.examples, "example"), metrics.join("  ")));
    for warning in &report.warnings {
        reporter.warn(&format!(
            "dev: {warning}; a lower --learning-rate, more --epochs or other --seeds may help"
        ));
    }
    let accuracy = report.metric("accuracy");
    if let (Some(accuracy), Some(majority), true) = (accuracy, plan.majority, report.warnings.is_empty())
        && accuracy <= majority
        && !plan.lower_is_better
    {
        reporter.warn(&format!(
            "dev: the accuracy does not exceed that of the most frequent label alone ({majority:.4}): the model has learned nothing; a \
             lower --learning-rate, more --epochs or other --seeds may help"
        ));
    }
}

fn shortened(labels: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = listed(labels.iter().take(SHOWN));
    if labels.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}
