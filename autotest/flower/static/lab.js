// Keeps the Lab tab up to date: asks every two seconds, and changes what changed. Without it, reload.
(function () {
    "use strict";

    var EVERY_MS = 2000,
        TYPING_MS = 250,
        lab = document.getElementById("lab"),
        form = document.getElementById("lab-filters"),
        indicator = document.getElementById("lab-live-indicator"),
        status = document.getElementById("lab-refresh-status"),
        etag = null,
        asked = 0,
        timer = null;

    function show(succeeded, text) {
        indicator.classList.toggle("status-dot-live", succeeded);
        indicator.classList.toggle("status-dot-error", !succeeded);
        status.textContent = text;
    }

    // Rows that did not change stay where they are, so that a selection or the focus in them stays too.
    function replaceRows(old, fresh) {
        var place = old.firstElementChild;
        Array.from(fresh.children).forEach(function (row) {
            var next;
            if (!place || place.id !== row.id) {
                old.insertBefore(row, place);
                return;
            }
            next = place.nextElementSibling;
            if (!place.isEqualNode(row)) {
                place.replaceWith(row);
            }
            place = next;
        });
        while (place) {
            var gone = place;
            place = place.nextElementSibling;
            gone.remove();
        }
    }

    function apply(html) {
        var page = document.createElement("template");
        page.innerHTML = html;
        page.content.querySelectorAll("[data-part]").forEach(function (fresh) {
            var old = document.getElementById(fresh.id);
            if (!old || old.isEqualNode(fresh)) {
                return;
            }
            if (fresh.getAttribute("data-part") === "rows") {
                replaceRows(old, fresh);
            } else {
                old.replaceChildren.apply(old, Array.from(fresh.childNodes));
            }
        });
    }

    function ask() {
        var number = asked += 1,
            headers = etag ? {"If-None-Match": etag} : {};
        window.clearTimeout(timer);
        fetch(lab.dataset.source + window.location.search, {
            headers: headers, cache: "no-store", credentials: "same-origin"
        }).then(function (answer) {
            if (answer.status === 304) {
                return null;
            }
            if (!answer.ok) {
                throw new Error(answer.status === 401 ? "Log in again: reload" : "Update failed");
            }
            return answer.json().then(function (body) {
                return {etag: answer.headers.get("ETag"), html: body.html};
            });
        }).then(function (answer) {
            if (number !== asked) {
                return;
            }
            if (answer) {
                apply(answer.html);
                etag = answer.etag;
            }
            show(true, "Updated " + new Date().toISOString().slice(11, 19));
        }).catch(function (problem) {
            show(false, problem instanceof TypeError ? "Update failed" : problem.message);
        }).finally(function () {
            if (number === asked) {
                again();
            }
        });
    }

    function again() {
        window.clearTimeout(timer);
        if (!document.hidden) {
            timer = window.setTimeout(ask, EVERY_MS);
        }
    }

    function go(address) {
        window.history.pushState(null, "", address);
        fill();
        etag = null;
        ask();
    }

    function fill() {
        var asks = new URLSearchParams(window.location.search);
        ["q", "state", "lab"].forEach(function (name) {
            form.elements[name].value = asks.get(name) || "";
        });
    }

    function addressOfForm() {
        var asks = new URLSearchParams();
        new FormData(form).forEach(function (value, name) {
            if (value.trim()) {
                asks.set(name, value.trim());
            }
        });
        return form.getAttribute("action") + "?" + asks.toString();
    }

    var typing = null;
    function soon() {
        window.clearTimeout(typing);
        typing = window.setTimeout(function () {
            window.history.replaceState(null, "", addressOfForm());
            etag = null;
            ask();
        }, TYPING_MS);
    }
    form.addEventListener("input", soon);
    // What fills in forms for people (a driver, an extension) may say only this when it chooses for them.
    form.addEventListener("change", soon);
    form.addEventListener("submit", function (event) {
        event.preventDefault();
        window.clearTimeout(typing);
        go(addressOfForm());
    });
    // Links to other pages and filters of this tab need no reload.
    lab.addEventListener("click", function (event) {
        var link = event.target.closest("a");
        if (link && link.pathname === form.getAttribute("action") && !event.ctrlKey && !event.metaKey &&
                !event.shiftKey && event.button === 0) {
            event.preventDefault();
            go(link.getAttribute("href"));
            if (link.closest(".lab-pager")) {
                link.closest(".lab-card").scrollIntoView();
            }
        }
    });
    window.addEventListener("popstate", function () {
        fill();
        etag = null;
        ask();
    });
    document.addEventListener("visibilitychange", function () {
        if (!document.hidden) {
            ask();
        }
    });
    ask();
}());
