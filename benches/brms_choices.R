# The authors' way to weights: one brms model, compiled once and updated for each context.
#
# Rscript brms_choices.R FOLDER reads FOLDER/INDEX.csv (choice, d1 to d5), says "= SECONDS USED VERSIONS" once the model is
# compiled, then for each line "INDEX CORES" on standard input updates the model, writes FOLDER/INDEX-posterior.csv and
# says "= SECONDS USED". USED are seconds of processor time, forked chains included. What begins otherwise is Stan's own
# talk.

suppressMessages(library(brms))
# Debian's rstan names no Boost: its headers lie where the compiler looks anyway.
if (!nzchar(rstan::rstan_options("boost_lib"))) rstan::rstan_options(boost_lib = "/usr/include")

folder <- commandArgs(trailingOnly = TRUE)[1]
choices <- function(index) read.csv(file.path(folder, paste0(index, ".csv")))
say <- function(...) {
  cat("=", ..., "\n")
  flush(stdout())
}

timed <- function(call) {
  took <- system.time(call)
  c(took[["elapsed"]], sum(took[c("user.self", "sys.self", "user.child", "sys.child")]))
}

lines <- file("stdin", "r")
first <- choices(0)
seconds <- timed(
  compiled <- brm(
    choice ~ d1 + d2 + d3 + d4 + d5, data = first, family = bernoulli(), prior = prior(normal(0, 1), class = b),
    chains = 0
  )
)
version <- function(package) paste(package, packageVersion(package))
say(seconds, paste0("R ", getRversion(), ", ", version("brms"), ", ", version("rstan")))

while (length(line <- readLines(lines, 1)) > 0) {
  asked <- as.integer(strsplit(line, " ")[[1]])
  data <- choices(asked[1])
  seconds <- timed(
    fit <- update(
      compiled, newdata = data, recompile = FALSE, chains = 4, iter = 2000, warmup = 1000, cores = asked[2], seed = 1,
      refresh = 0
    )
  )
  found <- posterior::summarise_draws(as_draws_df(fit), "mean", "mcse_mean", "ess_bulk", "ess_tail")
  # Its columns are numbers of a class of their own, which can't be written.
  plain <- data.frame(variable = found$variable, lapply(found[-1], as.numeric))
  write.csv(plain, file.path(folder, paste0(asked[1], "-posterior.csv")), row.names = FALSE)
  say(seconds)
}
