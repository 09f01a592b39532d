"""Examples in the reference page, by the section's model; a test reads each of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "Contract": (
        """
name: library_loans
title: Library loans
description: What the libraries of a council lent, one row for each loan.
publisher: libraries.example.org
licence: Open Government Licence v3.0
owner: data-team
period: day
start: 2024-01-01
schedule: "0 6 * * *"
extract:
  base_url: https://libraries.example.org/open
  rate: {per_second: 2, burst: 4}
  parallel: 1
  request:
    path: /{council.gss_code}/loans/{period:%Y-%m-%d}
format:
  records: Reply.Loans
columns:
  - name: loan_no
    path: LoanNo
    type: text
    required: true
    description: The loan's number, with its leading zeros.
key: [loan_no]
""",
    ),
    "DatabaseExtract": (
        """
extract:
  kind: database
  connection: case_system
  query: >
    select case_id, kind, opened_at, updated_at from crm.cases
    where council = %(council)s
  key: case_id
  changed: updated_at
""",
    ),
    "FilesExtract": (
        r"""
extract:
  kind: files
  from: inbox
  pattern: 'spend_{council.name}_{period:%Y-%m}(?:_v(?P<version>\d+))?\.csv'
""",
    ),
    "Request": (
        """
request:
  method: POST
  path: /crimes/{period:%Y-%m}
  form: {poly: "{polygon}"}
""",
    ),
    "Auth": (
        "auth: {type: api_key, secret: air_key, name: X-Api-Key}",
        "auth: {type: bearer, secret: air_token}",
        "auth: {type: http_basic, secret: air_login}",
        """
auth:
  type: oauth2_client_credentials
  secret: air_client
  access_token_url: https://login.example.org/token
""",
    ),
    "Alerts": (
        """
alerts:
  email: [waste-team@council.example]
  slack: waste_slack               # the name of a secret with the URL
""",
        "alerts: {sns: 'wandle-{environment}-alerts', kinds: [failed, late]}",
    ),
    "NumberFormat": ("number: {thousands: ',', symbols: [£], negative: ['(#)']}",),
    "Parent": (
        """
parents:
  site:
    source: air_sites
    match: {closed_on: null}       # only sites that are open
""",
        """
parents:
  polygon:
    source: ward_boundaries
    match: {ward_code: "{ward.code}"}
    each: "{latitude},{longitude}"
    join: ":"
""",
    ),
    "Paging": (
        "paging: {kind: offset, parameter: offset, size: 500, size_parameter: limit}",
        "paging: {kind: page, parameter: page, size: 100, first: 1, total: meta.total}",
        "paging: {kind: cursor, next: meta.cursor, parameter: after}",
        "paging: {kind: link, next: links.next}",
    ),
    "Answers": ("answers: {not_published: [404], empty: [204], ignore: [links.next]}",),
    "Archive": (
        """
archive:
  from_age_days: 28
  request: {path: "/archive/readings-{period:%Y-%m-%d}.csv"}
  format: {kind: csv}
  paths: {measured_at: dateTime}
""",
    ),
    "Selection": ("select: {field: borough, among: [council.names.londonair, null]}",),
    "Format": (
        'format: {kind: json, records: "sites.*.readings", inherit: [site]}',
        'format: {kind: spreadsheet, sheet: "Payments *", skip_rows_before_header: 3}',
        "format: {kind: xml, records: feed.entry}",
        'format: {kind: csv, delimiter: ";", encoding: windows-1252, skip_rows_before_header: 2}',
    ),
    "Column": (
        """
columns:
  - name: fee
    path: Fee
    type: numeric(8,2)             # money is never `double`
    minimum: 0
    null_values: ["n/a"]
    description: Fee for the loan, in pounds.
""",
        """
columns:
  - name: paid_on
    path: Payment Date
    type: date
    format: "%d/%m/%Y"
    description: Day of the payment.
""",
        """
columns:
  - name: borrower
    type: text
    personal: pseudonymise         # needs `retention_days`
    description: Who borrowed it.
""",
    ),
    "Checks": (
        "checks: {min_records: 1, max_records_of_emptied_part: 5, max_quarantined_share: 0.02}",
    ),
    "Limits": ("limits: {record_bytes: 33554432}",),
    "Approval": ("approval: {rows: 100000, hours: 8}",),
}
